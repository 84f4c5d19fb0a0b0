import { channel } from 'node:diagnostics_channel'
import { publish } from '@fastcgi/client/internal'

/** Where a manager reports to: pino's shape. */
export interface ProcessLogger {
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** Something that happened to a process; also published as `fastcgi:process`. */
export interface ProcessEvent {
  /** Name of the application. */
  readonly application: string
  /** Name of the process. */
  readonly process: string
  readonly pid: number | undefined
  readonly event: /** A child was started. */
    | 'started'
    /** A child ended by itself, and is replaced. */
    | 'exited'
    /** A start failed; the next one is tried later. */
    | 'failed'
    /** A child did not answer in time and was killed. */
    | 'hung'
    /** A process is gone, as it was told. */
    | 'stopped'
  /** In words, where there is one. */
  readonly reason?: string | undefined
}

const processes = channel('fastcgi:process')

/** Tells those who listen. */
export function publishProcess(event: ProcessEvent): void {
  if (processes.hasSubscribers) publish(processes, event)
}
