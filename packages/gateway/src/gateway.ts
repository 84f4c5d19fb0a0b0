// The public interface of a gateway; createGateway() and createAuthorizer() make objects that implement it.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher, DispatcherStats } from '@fastcgi/client'
import type { GatewayCache } from './cache/caches.ts'
import type { GatewayRequest } from './request/gateway-request.ts'
import type { GatewayCallback } from './response/gateway-response.ts'

/** A request handler for node:http, also usable as connect middleware. */
export type NodeHandler = (
  req: IncomingMessage,
  res: ServerResponse,
  next?: (error?: unknown) => void,
) => void

/**
 * Passes HTTP requests to FastCGI applications. It depends on no framework: an adapter passes each request to `handle` and
 * writes the response. `Source` is the framework's request.
 */
export interface Gateway<Source = IncomingMessage> {
  /** Handles a request. `done` is called exactly once, possibly before `handle` returns. */
  handle(request: GatewayRequest<Source>, done: GatewayCallback): void
  /**
   * For `http.createServer(gateway.handler)`. Calls `next` for paths that are not the gateway's; without `next` they get
   * 404.
   */
  readonly handler: NodeHandler
  /**
   * Closes the pools and balancers that the gateway made: active requests are finished, later ones fail with
   * FCGI_CLOSED.
   */
  close(): Promise<void>
  /** The dispatchers that carry the requests: balancers by their name, pools by their address. */
  readonly dispatchers: Readonly<Record<string, Dispatcher>>
  /** What has been stored of the responses; undefined without the option `cache`. */
  readonly cache?: GatewayCache | undefined
  /** The counters of each dispatcher, by the same names. */
  readonly stats: Readonly<Record<string, DispatcherStats>>
}
