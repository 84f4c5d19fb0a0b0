import type { Dispatching } from './exchange/handler.ts'
import type { FastCGIRequest } from './exchange/request.ts'
import type { FastCGIResponse } from './exchange/response.ts'

/** Counters of a dispatcher. */
export interface DispatcherStats {
  /** Open or opening connections. */
  connections: number
  /** Connections that wait for a request. */
  idle: number
  /** Requests on connections. */
  active: number
  /** Requests that wait for a place. */
  queued: number
  /** How many connections are opened at the most now. */
  limit: number
  /** Requests taken since the start. */
  requests: number
  /** Requests that ended with an error. */
  failed: number
  /** Attempts beyond the first. */
  retries: number
}

/** Whatever can carry requests: a connection, a pool, a balancer. They nest. */
export interface Dispatcher extends Dispatching {
  /** The comfortable path: resolves with the head, the body is a stream. */
  request(request: FastCGIRequest): Promise<FastCGIResponse>
  /** Takes no more requests and resolves once those under way have ended. */
  close(): Promise<void>
  /** Fails everything under way and resolves once all sockets are closed. */
  destroy(error?: Error): Promise<void>
  readonly stats: DispatcherStats
}
