// What a scheduler needs to know of requests and connections, and what is done for it.
import type { MeasuredScript } from './after-work.ts'
import type { BacklogOptions, PendingConnection } from './backlog.ts'
import type { KeepSettings, PooledConnection } from './connections.ts'
import type { Queueable } from './request-queue.ts'

/** A request, as far as the scheduler is concerned. */
export interface ScheduledRequest extends Queueable, MeasuredScript {
  /** When it arrived at the pool. */
  readonly startedAt: number
  /** Whether idle connections are not used for it. */
  readonly needsNewConnection: boolean
  /** Time; older connections are not shared with it. */
  readonly minCreatedAt: number
}

/** A connection, as far as the scheduler is concerned. The script is that of the last request. */
export interface ScheduledConnection extends PooledConnection, PendingConnection, MeasuredScript {
  /** The script of the request before the last; undefined after the first request. */
  readonly previousScript: string | undefined
  readonly previousIdempotent: boolean
  /** Milliseconds from the last request to the first bytes of its response; set by the scheduler. */
  answeredIn: number
  /** Milliseconds from the end of the last response until the application closed its half; NaN if not known, undefined if it did not. */
  readonly afterWork: number | undefined
}

/** Options of a {@link Scheduler}. */
export interface SchedulerOptions extends KeepSettings, BacklogOptions {
  /** See PoolOptions. */
  queueTimeout: number
  reuse: boolean | 'always'
}

/** What a scheduler has done for it. */
export interface SchedulerHost<Connection, Request> {
  /** Whether a connection accepts several requests at the same time, so that it does not hold a worker. */
  readonly shares: boolean
  /** Maximum number of connections that the application has reported. */
  readonly maxConnections: number
  /** Whether the application has as many active requests as it has reported to support. */
  readonly full: boolean
  /** Whether connections are not kept any more. */
  readonly closing: boolean
  /** Makes a connection, which is not opened yet. */
  create(now: number): Connection
  /** Opens a connection, and sends a request on it. */
  open(connection: Connection, request: Request): void
  /** Sends a request on an open connection. */
  run(connection: Connection, request: Request, now: number): void
  /** A request has waited in the queue for longer than `queueTimeout`; it has been removed. */
  onQueueTimeout(request: Request): void
  /** The application has proved to serve no more connections than those that have been answered. Not called for each time. */
  onLimitCut(): void
}
