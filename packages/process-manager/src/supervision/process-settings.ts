// The settings of a ManagedProcess.
import type { Address, PoolOptions } from '@fastcgi/client'
import type { ChildCommand } from '../spawning/child.ts'

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
