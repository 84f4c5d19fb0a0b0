import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs'

/** How a child ended, or why it never began. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** It could not be started. */
  readonly error?: NodeJS.ErrnoException | undefined
}

/** What else is known of a child that ended. */
export interface ExitCircumstances {
  readonly program: string
  readonly cwd: string
  /** Requests it answered. */
  readonly served: number
}

/** Says in words how a child ended. */
export function describeExit(exit: Exit, { program, cwd, served }: ExitCircumstances): string {
  if (exit.error !== undefined)
    return `could not be started: ${startFailure(exit.error, program, cwd)}`
  if (exit.signal !== null) return `was ended by ${exit.signal}`
  if (exit.code === 0 && served === 0)
    return 'ended with exit code 0 without accepting a connection: is it a FastCGI program, which accepts on file descriptor 0? (PHP: php-cgi, not php)'
  const hint = served === 0 && exit.code !== null ? SHELL_CODES[exit.code] : undefined
  return `ended with exit code ${exit.code}${hint === undefined ? '' : `: ${hint}`}`
}

/** What shells, and the tools that start programs, mean by their exit codes. */
const SHELL_CODES: Readonly<Record<number, string>> = {
  126: 'it cannot be executed',
  127: 'something it starts was not found',
}

/** Node reports a missing directory or interpreter as a missing program. */
function startFailure(error: NodeJS.ErrnoException, program: string, cwd: string): string {
  if (!isDirectory(cwd)) return `its directory ${cwd} does not exist (option cwd)`
  if (error.code === 'ENOENT') {
    const interpreter = interpreterOf(program)
    if (interpreter === undefined) return `${program} does not exist (option command)`
    return `its interpreter ${interpreter} does not exist (first line of ${program})`
  }
  if (error.code === 'EACCES') return `${program} may not be executed by this user`
  if (error.code === 'EAGAIN') return 'the system takes no more processes'
  return error.message
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** What the first line of a script names, if it is one. */
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
