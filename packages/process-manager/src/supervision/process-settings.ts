// The states, settings and exit reports of a ManagedProcess.
import type { Address, PoolOptions } from '@fastcgi/client'
import type { ChildCommand } from '../spawning/child.ts'
import type { Exit } from '../spawning/exit-reason.ts'

/** State of a process. */
export type ProcessState =
  /** Its listening socket is being opened. */
  | 'opening'
  /** It takes requests. */
  | 'running'
  /** It was started after failures, and takes requests once it has lived for a moment. */
  | 'trial'
  /** It takes no more requests, finishes the ones it has, and is then ended or restarted. */
  | 'draining'
  /** Its start failed; it waits for the next attempt. */
  | 'backoff'
  /** It has ended for good. */
  | 'stopped'

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

/** Settings of a process; see the manager options of the same names. */
export interface ProcessSettings {
  /** Returns the command of a child, given the address of its listening socket. */
  readonly command: (address: Address) => ChildCommand & { readonly program: string }
  /** Options of its connections. */
  readonly pool: PoolOptions
  /** Requests at a time. */
  readonly concurrency: number
  readonly killSignal: NodeJS.Signals
  /** Milliseconds. */
  readonly killTimeout: number
  /** Milliseconds; 0: no limit. */
  readonly drainTimeout: number
  /** Signal on which the program reloads itself without losing a request. */
  readonly reloadSignal: NodeJS.Signals | undefined
}
