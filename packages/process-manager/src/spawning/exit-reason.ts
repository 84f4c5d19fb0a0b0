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
  const hint = served === 0 && exit.code !== null ? SHELL_CODES[exit.code] : undefined
  return `ended with exit code ${exit.code}${hint === undefined ? '' : `: ${hint}`}`
}

/** Exit codes by which shells, and tools such as env(1), report that they could not execute a command. */
const SHELL_CODES: Readonly<Record<number, string>> = {
  126: 'the command cannot be executed',
  127: 'something it starts was not found',
}

/** Finds the actual reason: Node reports a missing working directory or interpreter as ENOENT of the program. */
function startFailure(error: NodeJS.ErrnoException, program: string, cwd: string): string {
  if (!isDirectory(cwd)) return `its directory ${cwd} does not exist (option cwd)`
  if (error.code === 'ENOENT') {
    const interpreter = interpreterOf(program)
    if (interpreter === undefined) return `${program} does not exist (option command)`
    return `its interpreter ${interpreter} does not exist (first line of ${program})`
  }
  if (error.code === 'EACCES') return `${program} may not be executed by this user`
  if (error.code === 'EAGAIN') return 'the system allows no more processes (EAGAIN)'
  return error.message
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** The interpreter in the first line (`#!`) of a script; undefined for other files. */
function interpreterOf(program: string): string | undefined {
  try {
    accessSync(program, constants.R_OK)
    const file = openSync(program, 'r')
    try {
      const start = Buffer.alloc(256)
      const [, interpreter] =
        /^#!\s*(\S+)/.exec(start.toString('latin1', 0, readSync(file, start))) ?? []
      return interpreter
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
}
