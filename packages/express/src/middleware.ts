// Express middleware around a gateway or an authorizer.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher, DispatcherStats } from '@fastcgi/client'
import {
  type ClientInfo,
  type Gateway,
  type GatewayCache,
  isGone,
  type RequestVariables,
  writeResponse,
} from '@fastcgi/gateway'
import { socketClient } from '@fastcgi/gateway/internal'
import { placedGuardsOf } from './guarded-layers.ts'

/** A request with the properties that Express adds. All are optional, so that connect and node:http can use the middleware. */
export type ExpressRequest = IncomingMessage & {
  /** URL as the client sent it. */
  originalUrl?: string
  /** Path at which the middleware is mounted. */
  baseUrl?: string
  /** The app that handles the request. */
  app?: unknown
  /** Body that a body parser has read. */
  body?: unknown
  /** Address of the client, according to `trust proxy`. */
  ip?: string | undefined
  protocol?: string
  host?: string
  /** Variables that authorizers have added to the request; undefined if none has allowed it. */
  fastcgi?: RequestVariables | undefined
}

/** Express middleware created by fastcgiProxy or fastcgiAuthorizer. */
export interface FastCGIMiddleware {
  (req: ExpressRequest, res: ServerResponse, next: (error?: unknown) => void): void
  /** Finishes running requests, then closes its connections: `server.on('close', () => middleware.close())`. */
  close(): Promise<void>
  /** The dispatchers that send the requests: balancers by name, pools by address. */
  readonly dispatchers: Readonly<Record<string, Dispatcher>>
  /** What has been stored of the responses; undefined without the option `cache`. */
  readonly cache: GatewayCache | undefined
  /** Counters of these dispatchers. */
  readonly stats: Readonly<Record<string, DispatcherStats>>
}

/** Creates middleware from a gateway or an authorizer. Without a response it calls next(). */
export function createMiddleware(gateway: Gateway<ExpressRequest>): FastCGIMiddleware {
  const middleware = (
    req: ExpressRequest,
    res: ServerResponse,
    next: (error?: unknown) => void,
  ): void => {
    const request = {
      req,
      res,
      source: req,
      url: req.originalUrl ?? req.url ?? '/',
      rewrittenUrl: rewrittenUrl(req),
      mount: req.baseUrl ?? '',
      client: clientOf(req),
      parsedBody: req.body,
      placedGuards: placedGuardsOf(req.app),
    }
    gateway.handle(request, (error, response) => {
      if (isGone(req, res)) return
      if (response !== undefined) writeResponse(res, response)
      else next(error)
    })
  }
  const properties = {
    close: { value: () => gateway.close() },
    dispatchers: { get: () => gateway.dispatchers, enumerable: true },
    cache: { get: () => gateway.cache, enumerable: true },
    stats: { get: () => gateway.stats, enumerable: true },
  }
  return Object.defineProperties(middleware, properties) as FastCGIMiddleware
}

/** The URL as preceding middleware has rewritten it; undefined if it is not a path. */
function rewrittenUrl({ url, baseUrl }: ExpressRequest): string | undefined {
  return url?.startsWith('/') ? (baseUrl ?? '') + url : undefined
}

/** Address, scheme and host of the client, according to `trust proxy` of Express. */
export function clientOf(req: ExpressRequest): ClientInfo {
  const { address, scheme, host } = socketClient(req)
  return {
    address: req.ip ?? address,
    scheme: req.protocol ?? scheme,
    host: req.host ?? host,
  }
}
