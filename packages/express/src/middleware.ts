import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher, DispatcherStats } from '@fastcgi/client'
import {
  type ClientInfo,
  type Gateway,
  isGone,
  type RequestVariables,
  writeResponse,
} from '@fastcgi/gateway'
import { socketClient } from '@fastcgi/gateway/internal'

/** What Express adds to a request; all of it optional, so that connect and node:http can use the middleware too. */
export type ExpressRequest = IncomingMessage & {
  originalUrl?: string
  baseUrl?: string
  body?: unknown
  /** By `trust proxy`. */
  ip?: string | undefined
  protocol?: string
  host?: string
  /** What authorizers have said of the request; undefined where none let it through. */
  fastcgi?: RequestVariables | undefined
}

/** Express middleware that asks FastCGI applications: to answer requests, or to let them through. */
export interface FastCGIMiddleware {
  (req: ExpressRequest, res: ServerResponse, next: (error?: unknown) => void): void
  /** Finishes what runs and closes the connections it made: `server.on('close', () => middleware.close())`. */
  close(): Promise<void>
  /** What carries the requests: balancers by name, pools by address. */
  readonly dispatchers: Readonly<Record<string, Dispatcher>>
  /** Counters of each of them. */
  readonly stats: Readonly<Record<string, DispatcherStats>>
}

/** Makes middleware of a gateway or an authorizer: where that has no response, the next middleware is asked. */
export function middlewareOf(gateway: Gateway<ExpressRequest>): FastCGIMiddleware {
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
    stats: { get: () => gateway.stats, enumerable: true },
  }
  return Object.defineProperties(middleware, properties) as FastCGIMiddleware
}

/** What the middleware before have made of the URL. */
function rewrittenUrl({ url, baseUrl }: ExpressRequest): string | undefined {
  return url?.startsWith('/') ? (baseUrl ?? '') + url : undefined
}

/** The client, as Express's trust in proxies makes it out. */
export function clientOf(req: ExpressRequest): ClientInfo {
  const { address, scheme, host } = socketClient(req)
  return {
    address: req.ip ?? address,
    scheme: req.protocol ?? scheme,
    host: req.host ?? host,
  }
}
