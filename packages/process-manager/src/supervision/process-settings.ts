// The states and settings of a ManagedProcess.
import type { Address, PoolOptions } from '@fastcgi/client'
import type { ChildCommand } from '../spawning/child.ts'

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

/** Settings of a process; see the manager options of the same names. */
export interface ProcessSettings {
  /** Returns the command of a child, given the address of its listening socket. Called once for each child; it may throw. */
  readonly command: (address: Address) => ChildCommand
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
