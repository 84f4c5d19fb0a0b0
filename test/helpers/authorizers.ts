/** Authorizers that run: in C on libfcgi, in Perl on FCGI.pm, in PHP. All of them say what QUERY_STRING asks for. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FastCGIClient } from '@fastcgi/client'
import type { AuthorizerOptions } from '@fastcgi/gateway'
import type { Test } from 'tap'
import { NEEDS_FPM, phpFpm } from './php-site.ts'
import { needs } from './require-program.ts'
import { scaled } from './time-limit.ts'
import { delay } from './wait.ts'

export const AUTHORIZERS = ['c', 'perl', 'php'] as const
export type AuthorizerName = (typeof AUTHORIZERS)[number]

const FIXTURES = join(process.cwd(), 'test/fixtures/authorizer')
const START_TIMEOUT = 10_000

/** Whether a command ends well. */
function works(command: string, ...args: string[]): string | undefined {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0 ? command : undefined
}

const spawnFcgi = needs('spawn-fcgi', works('spawn-fcgi', '-v'))
const header = ['/usr/include/fcgi_stdio.h', '/usr/include/fastcgi/fcgi_stdio.h'].find(existsSync)
const compiler = needs('gcc', works('cc', '--version'))
const libfcgi = needs('libfcgi-dev', compiler.skip === false ? header : undefined)
const perl = needs('libfcgi-perl', works('perl', '-MFCGI', '-e', '1'))

/** Options of tests that need one of them. */
export const NEEDS: Readonly<Record<AuthorizerName, { skip: string | false }>> = {
  c: first(spawnFcgi, compiler, libfcgi),
  perl: first(spawnFcgi, perl),
  php: NEEDS_FPM,
}

function first(...all: Array<{ skip: string | false }>): { skip: string | false } {
  return all.find(({ skip }) => skip !== false) ?? { skip: false }
}

/** Starts one and returns how to reach it; it is stopped with the test. */
export async function startAuthorizer(
  t: Test,
  name: AuthorizerName,
): Promise<Pick<AuthorizerOptions, 'upstream' | 'root' | 'script'> & { upstream: string }> {
  if (name === 'php') {
    const { address } = await phpFpm(t)
    return { upstream: address, root: FIXTURES, script: '/authorizer.php' }
  }
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return { upstream: await spawned(t, directory, commandOf(name, directory)), root: '/srv/www' }
}

function commandOf(name: 'c' | 'perl', directory: string): string[] {
  if (name === 'perl') return ['/usr/bin/env', 'perl', join(FIXTURES, 'authorizer.pl')]
  const program = join(directory, 'authorizer')
  const source = join(FIXTURES, 'authorizer.c')
  execFileSync('cc', ['-Wall', '-I/usr/include/fastcgi', source, '-o', program, '-lfcgi'])
  return [program]
}

/** Runs a command with a listening socket as its fd 0; resolves with the address once it answers. */
async function spawned(t: Test, directory: string, command: string[]): Promise<string> {
  const path = join(directory, 's')
  // -n: it becomes the command, so that one pid is all there is to stop.
  const child = spawn('spawn-fcgi', ['-n', '-s', path, '--', ...command], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (output += text))
  await answers(`unix:${path}`, child, () => output)
  return `unix:${path}`
}

async function answers(address: string, child: ChildProcess, output: () => string): Promise<void> {
  const client = new FastCGIClient(address, { retries: 0 })
  const end = performance.now() + scaled(START_TIMEOUT)
  try {
    for (;;) {
      const request = client.request({ role: 'authorizer', params: { QUERY_STRING: '' } })
      const error = await request.then(
        (response) => response.text().then(() => undefined),
        (error) => error,
      )
      if (error === undefined) return
      if (performance.now() > end || child.exitCode !== null)
        throw new Error(`${address} does not answer: ${output()}`, { cause: error })
      await delay(20)
    }
  } finally {
    await client.close()
  }
}
