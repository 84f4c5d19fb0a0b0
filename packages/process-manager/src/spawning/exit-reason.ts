// Describes in words how a child ended, or why it could not be started.
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs'

/** How a program ended, or why it could not be started. */
export interface Exit {
  /** Exit code; null if it was ended by a signal or not started. */
  readonly code: number | null
  /** Signal that ended it. */
  readonly signal: NodeJS.Signals | null
  /** Set if it could not be started. */
  readonly error?: NodeJS.ErrnoException | undefined
}

/** Details that the description of an exit depends on. */
export interface ExitContext {
  readonly program: string
  readonly cwd: string
  /** Number of requests that it answered. */
  readonly served: number
}

/** Describes how a child ended, as the rest of a sentence that begins with its name. */
export function describeExit(exit: Exit, { program, cwd, served }: ExitContext): string {
  if (exit.error !== undefined)
    return `could not be started: ${startFailure(exit.error, program, cwd)}`
  if (exit.signal !== null) return `was ended by ${exit.signal}`
  if (exit.code === 0 && served === 0)
    return 'ended with exit code 0 without accepting a connection: is it a FastCGI program, which accepts on file descriptor 0? (PHP: php-cgi, not php)'
  const hint = served === 0 && exit.code !== null ? hintOf(exit.code, program) : undefined
  return `ended with exit code ${exit.code}${hint === undefined ? '' : `: ${hint}`}`
}

/** Exit codes by which shells, and tools such as env(1), report that they could not execute a command. */
const SHELL_CODES: Readonly<Record<number, string>> = {
  126: 'the command cannot be executed',
  127: 'something it starts was not found',
}

/** The likely reason of an exit code other than 0. */
function hintOf(code: number, program: string): string | undefined {
  if (firstLineOf(program)?.endsWith('\r') === true)
    return `the first line of ${program} ends with CR LF; ${CONVERT}`
  return SHELL_CODES[code]
}

const CONVERT = 'its lines must end with LF alone (sed -i "s/\\r$//")'

/** Signals by which other processes, or the system when memory is short, end a process. */
const ENDING_SIGNALS: ReadonlySet<string> = new Set([
  'SIGKILL',
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
])

/** Whether a program was ended by another process, so that its end says nothing about the program. */
export function wasKilled({ signal }: Exit): boolean {
  return signal !== null && ENDING_SIGNALS.has(signal)
}

/** Finds the actual reason: Node reports a missing working directory or interpreter as ENOENT of the program. */
function startFailure(error: NodeJS.ErrnoException, program: string, cwd: string): string {
  if (!isDirectory(cwd)) return `its directory ${cwd} does not exist (option cwd)`
  if (error.code === 'ENOENT') {
    const interpreter = interpreterOf(program)
    if (interpreter?.endsWith('\r') === true)
      return `the first line of ${program} ends with CR LF, so the name of its interpreter is taken to be ${interpreter.slice(0, -1)} and a carriage return; ${CONVERT}`
    if (interpreter === undefined) return `${program} does not exist (option command)`
    return `its interpreter ${interpreter} does not exist (first line of ${program})`
  }
  if (error.code === 'EACCES') return `${program} may not be executed by this user`
  if (error.code === 'EAGAIN') return 'the system allows no more processes (EAGAIN)'
  if (error.code === 'EMFILE')
    return 'this process has too many open files (EMFILE): raise its limit (ulimit -n, LimitNOFILE of systemd)'
  if (error.code === 'ENFILE') return 'the system has too many open files (ENFILE)'
  return error.message
}

function isDirectory(path: string): boolean {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.isDirectory() === true
}

/** The interpreter in the first line (`#!`) of a script, as the system reads it; undefined for other files. */
function interpreterOf(program: string): string | undefined {
  return /^#![ \t]*([^ \t]+)/.exec(firstLineOf(program) ?? '')?.[1]
}

/** The first line of a script, without its LF; undefined for other files. */
function firstLineOf(program: string): string | undefined {
  try {
    accessSync(program, constants.R_OK)
    const file = openSync(program, 'r')
    try {
      const start = Buffer.alloc(256)
      const text = start.toString('latin1', 0, readSync(file, start))
      return text.startsWith('#!') ? text.split('\n', 1)[0] : undefined
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
}
