// What a process manager reports: log lines and process events.
import { channel } from 'node:diagnostics_channel'
import { publish } from '@fastcgi/client/internal'

/** Logger of a process manager. Its methods are called as those of pino: details first, then the message. */
export interface ProcessLogger {
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** A change in the life of a process. Also published on the `node:diagnostics_channel` channel `fastcgi:process`. */
export interface ProcessEvent {
  /** Name of the application. */
  readonly application: string
  /** Name of the process. */
  readonly process: string
  /** Process id of the child; undefined if none was started. */
  readonly pid: number | undefined
  readonly event: /** A child was started. */
    | 'started'
    /** A child ended without having been told to; it is replaced if its policy wants that. */
    | 'exited'
    /** A start failed; the next attempt follows after `restartDelay`. */
    | 'failed'
    /** A child exceeded a response timeout (option `timeouts`) and was killed. */
    | 'hung'
    /** A process ended because the manager told it to, and is not started again. */
    | 'stopped'
  /** Description of how the child ended; set for `exited` and `failed`. */
  readonly reason?: string | undefined
}

const processes = channel('fastcgi:process')

/** Publishes an event to the subscribers of `fastcgi:process`. */
export function publishProcess(event: ProcessEvent): void {
  if (processes.hasSubscribers) publish(processes, event)
}
