/** FastCGI applications of all kinds, for the process manager to start: each answers with the id of its process. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createProcessManager,
  type ProcessEvent,
  type ProcessManager,
  type ProcessManagerOptions,
} from '@fastcgi/process-manager'
import type { Test } from 'tap'
import { findPhpCgi } from '#php'
import { needs } from './require-program.ts'
import { scaled } from './time-limit.ts'

export const FIXTURES = join(process.cwd(), 'test/fixtures/applications')

export interface Application {
  name: string
  needs: { skip: string | false }
  /** What to start. */
  options(): ProcessManagerOptions
  /** What to send. */
  params: Record<string, string>
}

const SCRIPT = join(FIXTURES, 'responder.php')
const GET = { REQUEST_METHOD: 'GET' }

function exists(path: string): string | undefined {
  return existsSync(path) ? path : undefined
}

let compiled: string | undefined

/** The C program, compiled once for each file of tests. It needs no shared libraries, and anybody may run it. */
export function compileResponder(): string {
  if (compiled !== undefined) return compiled
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-c-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  chmodSync(directory, 0o755)
  compiled = join(directory, 'responder')
  const args = ['-static', '-o', compiled, join(FIXTURES, 'responder.c'), '-lfcgi']
  const { status, stderr } = spawnSync('cc', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`cc: ${stderr}`)
  return compiled
}

const hasPerl = spawnSync('perl', ['-MFCGI', '-e', '1']).status === 0 ? 'perl' : undefined

export const NEEDS_LIBFCGI = needs(
  'libfcgi-dev',
  exists('/usr/include/fcgi_stdio.h') && exists('/usr/bin/cc'),
)

export const APPLICATIONS: readonly Application[] = [
  {
    name: 'php-cgi',
    needs: needs('php-cgi', findPhpCgi()),
    options: () => ({ command: [findPhpCgi() ?? '', '-n'] }),
    params: { ...GET, SCRIPT_FILENAME: SCRIPT },
  },
  {
    name: 'libfcgi (C)',
    needs: NEEDS_LIBFCGI,
    options: () => ({ command: [compileResponder()] }),
    params: GET,
  },
  {
    name: 'FCGI (Perl)',
    needs: needs('libfcgi-perl', hasPerl),
    options: () => ({ command: [join(FIXTURES, 'responder.pl')] }),
    params: GET,
  },
  {
    name: 'fcgiwrap',
    needs: needs('fcgiwrap', exists('/usr/sbin/fcgiwrap')),
    options: () => ({ command: ['/usr/sbin/fcgiwrap'] }),
    params: { ...GET, SCRIPT_FILENAME: join(FIXTURES, 'answer.cgi') },
  },
  {
    name: 'Node.js',
    needs: { skip: false },
    options: () => ({ command: [process.execPath, join(FIXTURES, 'responder.mjs')] }),
    params: GET,
  },
]

/** The one that starts fastest and needs nothing but Perl or a compiler. */
export function application(name: string): Application {
  const found = APPLICATIONS.find((known) => known.name === name)
  if (found === undefined) throw new Error(`there is no application ${name}`)
  return found
}

/** What a manager has logged. */
export interface Log {
  lines: string[]
  events: ProcessEvent[]
}

/** Starts a manager that logs to `log`; after the test it is ended, and nothing of it may be left. */
export function managed(
  t: Test,
  options: ProcessManagerOptions,
): { manager: ProcessManager; log: Log } {
  const log: Log = { lines: [], events: [] }
  const add = (_: object, message: string): number => log.lines.push(message)
  const manager = createProcessManager({
    logger: { info: add, warn: add, error: add },
    killTimeout: scaled(10_000),
    ...options,
  })
  manager.onProcess((event) => log.events.push(event))
  const sockets = new Set<string>()
  manager.onProcess(({ process, event }) => {
    const address = manager.processes.find(({ name }) => name === process)?.address
    if (event === 'started' && address !== undefined) sockets.add(address)
  })
  t.teardown(async () => {
    await manager.destroy()
    const pids = log.events.flatMap(({ pid }) => (pid === undefined ? [] : [pid]))
    const alive = pids.filter(isAlive)
    if (alive.length > 0) throw new Error(`processes are left: ${alive}`)
    const left = [...sockets].map(pathOf).filter((path) => path !== undefined && existsSync(path))
    if (left.length > 0) throw new Error(`sockets are left: ${left}`)
  })
  return { manager, log }
}

function pathOf(address: string): string | undefined {
  return address.startsWith('unix:') ? address.slice('unix:'.length) : undefined
}

/** Asks for the id of the process that answers. */
export async function ask(
  manager: ProcessManager,
  params: Record<string, string>,
): Promise<number> {
  const response = await manager.request({ params })
  const text = await response.text()
  if (response.status !== 200 || !/^\d+$/.test(text))
    throw new Error(`status ${response.status}: ${text.slice(0, 500)}`)
  return Number(text)
}

/** Whether there is such a process; one that has ended and was not waited for (a zombie) counts. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Children of this process that have ended and that nobody has waited for. */
export function zombies(): number {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
        return state === 'Z' && Number(parent) === process.pid
      } catch {
        return false
      }
    }).length
}
