/** Programs that tests start, each with a directory of its own, and stop. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import type { Test } from 'tap'
import { scaled } from './time-limit.ts'
import { delay, until, within } from './wait.ts'

/** How long a program may take until it accepts connections, in milliseconds. */
const START_TIMEOUT = 10_000

/** The path of a program; undefined where it is not installed. */
export function findProgram(name: string): string | undefined {
  const places = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']
  return places.map((place) => `${place}/${name}`).find((path) => existsSync(path))
}

/** A port of loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

export interface Program {
  child: ChildProcess
  /** What it wrote to stdout and stderr. */
  output(): string
  /** Exit code or signal. */
  exited: Promise<number | string | null>
  stop(signal?: NodeJS.Signals): Promise<void>
}

/** Starts a program in a process group of its own, which ends with the test, with all that it started. */
export function startProgram(
  t: Test,
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Program {
  // Without what tap adds for the sake of coverage: it would change what signals do.
  const env = { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '', ...options.env }
  const child = spawn(command, args, {
    env,
    cwd: options.cwd ?? '/',
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  const exited = once(child, 'exit').then(([code, signal]) => code ?? signal)
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    child.kill(signal)
    await within(`${command} to end`, exited).catch(() => {})
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL')
    } catch {
      // The group is empty, as it should be.
    }
  }
  t.teardown(() => stop())
  return { child, output: () => output, exited, stop }
}

/** Waits until somebody accepts connections. */
export async function accepting(program: Program, where: number | string): Promise<void> {
  let ended = false
  program.exited.then(() => {
    ended = true
  })
  const end = performance.now() + scaled(START_TIMEOUT)
  while (!(await accepts(where))) {
    if (ended || performance.now() > end) {
      await until('its output', () => program.output() !== '', 500).catch(() => {})
      throw new Error(`nobody listens on ${where}: ${program.output()}`)
    }
    await delay(10)
  }
}

function accepts(where: number | string): Promise<boolean> {
  const socket = typeof where === 'string' ? connect(where) : connect(where, '127.0.0.1')
  return new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  }).finally(() => socket.destroy())
}
