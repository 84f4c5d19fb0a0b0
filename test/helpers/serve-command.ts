/** The command `fastcgi serve` as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { within } from './wait.ts'

/** Where the compiled command is. */
export const CLI = new URL('../../../packages/cli/dist/', import.meta.url)
export const MAIN = fileURLToPath(new URL('main.js', CLI))
export const VERSION: string = JSON.parse(
  readFileSync(new URL('../package.json', CLI), 'utf8'),
).version
/** Without tap's loader, which would change what signals do and what is on stderr, and without the cost of coverage. */
export const ENV = { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '' }

export interface Served {
  child: ChildProcess
  url: string
  port: number
  /** Everything written so far. */
  stdout(): string
  stderr(): string
  exited: Promise<{ code: number | null; signal: string | null }>
}

/** Starts the command on a free port and waits for its first line. */
export function serve(t: Test, ...args: string[]): Promise<Served> {
  return serveWith(t, { args: ['--listen', '127.0.0.1:0', ...args] })
}

export interface ServeOptions {
  args?: readonly string[]
  cwd?: string
  env?: Record<string, string>
  uid?: number
  /** A command that runs it. */
  within?: readonly string[]
}

/** The same with a working directory and variables of the environment. */
export async function serveWith(
  t: Test,
  { args = [], cwd, env, uid, within: outer = [] }: ServeOptions,
): Promise<Served> {
  const [file = '', ...all] = [...outer, process.execPath, MAIN, 'serve', ...args]
  const child = spawn(file, all, {
    cwd,
    uid,
    env: { ...ENV, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const written = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text) => {
      written[name] += text
    })
  const exited = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  const line = new Promise<void>((resolve) =>
    child.stdout.on('data', () => written.stdout.includes('\n') && resolve()),
  )
  await within('the ready line', Promise.race([line, exited]), 30_000)
  const url = /https?:\/\/127\.0\.0\.1:\d+/.exec(written.stdout)?.[0]
  if (url === undefined) throw new Error(`not ready: ${written.stdout}${written.stderr}`)
  const { port } = new URL(url)
  const { stdout, stderr } = { stdout: () => written.stdout, stderr: () => written.stderr }
  return { child, url, port: Number(port), stdout, stderr, exited }
}

/** Ends the command as an init system does. */
export async function stop(t: Test, served: Served): Promise<void> {
  served.child.kill('SIGTERM')
  t.same(await within('the exit', served.exited), { code: 0, signal: null })
}
