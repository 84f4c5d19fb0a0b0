import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher, DispatcherStats } from '@fastcgi/client'
import type { GatewayRequest } from './request/gateway-request.ts'
import type { GatewayCallback } from './response/gateway-response.ts'

/** A request handler of node:http, also good as connect middleware. */
export type NodeHandler = (
  req: IncomingMessage,
  res: ServerResponse,
  next?: (error?: unknown) => void,
) => void

/** Carries HTTP requests to FastCGI applications. Framework-free: adapters hand requests in and write what comes out. */
export interface Gateway<Source = IncomingMessage> {
  /** Takes a request; `done` is called once. */
  handle(request: GatewayRequest<Source>, done: GatewayCallback): void
  /** For `http.createServer(gateway.handler)`; calls `next` for paths that are not the gateway's, else answers 404. */
  readonly handler: NodeHandler
  /** Finishes what runs and closes the connections it made. */
  close(): Promise<void>
  /** What carries the requests: balancers by name, pools by address. */
  readonly dispatchers: Readonly<Record<string, Dispatcher>>
  /** Counters of each of them. */
  readonly stats: Readonly<Record<string, DispatcherStats>>
}
