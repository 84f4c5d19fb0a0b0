import type { DispatcherEvent } from './events.ts'
import type { Dispatching } from './exchange/handler.ts'
import type { FastCGIRequest } from './exchange/request.ts'
import type { FastCGIResponse } from './exchange/response.ts'
import type { ProcessFigures } from './processes.ts'

/** A script that works on after the end of its response (`fastcgi_finish_request` of php-fpm). */
export interface ScriptAfterWork {
  /** SCRIPT_FILENAME, or the property `script` of its requests. */
  script: string
  /** Whether these are its requests with an idempotent method, or the others. */
  idempotent: boolean
  /** How long it usually works on, in milliseconds. */
  milliseconds: number
}

/** How many connections a pool may open, and why. Times are milliseconds ago; undefined if it has not happened. */
export interface LearnedLimit {
  /** Whether the pool learns it; false if the option `maxConnections` says it. */
  adaptive: boolean
  /** Connections that are opened at the most, whatever is learned. */
  most: number
  /** Open connections that have proved to have a worker of the application. */
  served: number
  /** Open connections that have not been answered yet: they wait for a worker, or run a slow script. */
  waiting: number
  /** How many connections may wait; fewer than 64 once the application has proved to have no worker for more. */
  spare: number
  /** When a connection was last opened to find out whether there is another worker. */
  probed: number | undefined
  /** When one of those last found a worker, so that more of them are opened. */
  raised: number | undefined
  /** When one last got a worker only because another connection was closed. */
  cut: number | undefined
}

/** Current numbers and counters of a dispatcher. */
export interface DispatcherStats {
  /** Connections that are open or being opened. */
  connections: number
  /** Connections without an active request. */
  idle: number
  /** Requests that are active on a connection. */
  active: number
  /** Requests that wait for a connection or a member. */
  queued: number
  /** Current maximum of `connections`; see {@link PoolOptions.maxConnections}. */
  limit: number
  /** Requests dispatched since the start. */
  requests: number
  /** Requests that failed since the start. */
  failed: number
  /** Attempts beyond the first of a request, since the start. */
  retries: number
  /** Scripts whose connections are not kept because they work on after their response; set by a pool that knows some. */
  afterWork?: readonly ScriptAfterWork[]
  /** Why `limit` is what it is; set by a pool. */
  learned?: LearnedLimit
}

/** The interface that clients, pools, balancers and process managers have in common. A dispatcher may wrap another. */
export interface Dispatcher extends Dispatching {
  /**
   * Sends a request. Resolves when the response head is complete; the body is a stream.
   * @throws FastCGIError when the request fails before that.
   */
  request(request: FastCGIRequest): Promise<FastCGIResponse>
  /** Rejects new requests and resolves when all active and queued requests have ended. */
  close(): Promise<void>
  /** Fails all active and queued requests with a ClosedError, whose cause is `error`, and closes all connections. */
  destroy(error?: Error): Promise<void>
  /** A snapshot of the current numbers. */
  readonly stats: DispatcherStats
  /** What has happened lately, the oldest first; a dispatcher need not know. */
  readonly events?: readonly DispatcherEvent[] | undefined
  /** The processes that it runs; set by a process manager. */
  readonly processes?: readonly ProcessFigures[] | undefined
}
