// How one child of a process ended, or why it could not be started.
import type { ChildCommand } from '../spawning/child.ts'
import { describeExit, type Exit } from '../spawning/exit-reason.ts'

/** How one child of a process ended. */
export interface ExitReport {
  readonly pid: number | undefined
  readonly exit: Exit
  /** Description of `exit` for the log. */
  readonly reason: string
  /** Requests that the child answered. */
  readonly served: number
  /** Lifetime of the child in milliseconds. */
  readonly lived: number
}

/** Reports that a child ended. */
export function reportExit(
  child: { readonly pid: number | undefined; readonly command: ChildCommand },
  exit: Exit,
  { served, lived }: { readonly served: number; readonly lived: number },
): ExitReport {
  const { program, cwd } = child.command
  const reason = describeExit(exit, { program, cwd, served })
  return { pid: child.pid, exit, served, lived, reason }
}

/** Reports that no child could be started, because its socket could not be opened, or its command not be made. */
export function reportNoStart(error: Error, lived: number): ExitReport {
  const exit: Exit = { code: null, signal: null, error }
  return { pid: undefined, exit, served: 0, lived, reason: error.message }
}
