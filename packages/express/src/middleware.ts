// Express middleware around a gateway or an authorizer.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { inspect } from 'node:util'
import type { Dispatcher, DispatcherStats } from '@fastcgi/client'
import {
  type Gateway,
  type GatewayCache,
  type GatewayError,
  isGone,
  writeResponse,
} from '@fastcgi/gateway'
import { mountedURL, requestId, wasReported } from '@fastcgi/gateway/internal'
import { placedGuardsOf } from './guarded-layers.ts'
import { clientOf, type HandledRequest } from './handled-request.ts'

/** Express middleware created by fastcgiProxy or fastcgiAuthorizer. */
export interface FastCGIMiddleware {
  (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void): void
  /** Finishes running requests, then closes its connections: `server.on('close', () => middleware.close())`. */
  close(): Promise<void>
  /** The dispatchers that send the requests: balancers by name, pools by address. */
  readonly dispatchers: Readonly<Record<string, Dispatcher>>
  /** What has been stored of the responses; undefined without the option `cache`. */
  readonly cache: GatewayCache | undefined
  /** Counters of these dispatchers. */
  readonly stats: Readonly<Record<string, DispatcherStats>>
}

/**
 * Creates middleware from a gateway or an authorizer. Without a response it calls next().
 * @param beforeNext called with the request before next() is, if there is neither a response nor an error.
 */
export function createMiddleware<Req extends IncomingMessage>(
  gateway: Gateway<Req>,
  beforeNext?: (req: IncomingMessage) => void,
): FastCGIMiddleware {
  const middleware = (
    req: HandledRequest,
    res: ServerResponse,
    next: (error?: unknown) => void,
  ): void => {
    const request = {
      req,
      res,
      // What the framework has made of the request: Express's own, for instance.
      source: req as IncomingMessage as Req,
      ...mountedURL(req),
      client: clientOf(req),
      parsedBody: req.body,
      placedGuards: placedGuardsOf(req.app),
      id: requestId(req),
    }
    gateway.handle(request, (error, response) => {
      if (isGone(req, res)) return
      if (response !== undefined) writeResponse(res, response)
      else {
        if (error === undefined) beforeNext?.(req)
        else if (wasReported(error)) printShort(error)
        next(error)
      }
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

/**
 * Express prints an error that no handler of the app answers, with its stack and causes (its versions before 5 the stack). There
 * is a log record of the failure already, so that what is printed only names it.
 */
function printShort(error: GatewayError): void {
  const line = `${error.name}: ${error.message} (${error.code}; logged with its cause)`
  error.stack = line
  Object.defineProperty(error, inspect.custom, { value: () => line })
}
