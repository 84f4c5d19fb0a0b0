// Adapts a gateway to node:http without a framework; also usable as connect middleware.

import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { ClientInfo } from './environment/environment-input.ts'
import type { Gateway, NodeHandler } from './gateway.ts'
import { mountedURL } from './request/mount-point.ts'
import type { GatewayResponse } from './response/gateway-response.ts'
import { writeError, writeResponse, writeText } from './write-response.ts'

/** The client as the socket and the Host field show it, for servers without a framework that trusts proxies. */
export function socketClient(req: IncomingMessage): ClientInfo {
  const host = req.headers[':authority'] ?? req.headers.host
  return {
    address: '',
    scheme: (req.socket as TLSSocket).encrypted ? 'https' : 'http',
    host: typeof host === 'string' ? host : '',
  }
}

/** The name that middleware such as pino-http has given a request. */
export function requestId(req: IncomingMessage): string | undefined {
  const { id } = req as { id?: unknown }
  return typeof id === 'string' || typeof id === 'number' ? String(id) : undefined
}

/**
 * Makes a request handler for node:http. Paths that are not the gateway's go to `next`, or get 404 without `next`.
 * @param notFound makes the page of that 404. @default a short text
 */
export function createHandler(
  gateway: Gateway,
  notFound?: (req: IncomingMessage) => GatewayResponse,
): NodeHandler {
  return (req, res, next) => {
    const request = {
      req,
      res,
      source: req,
      ...mountedURL(req),
      client: socketClient(req),
      id: requestId(req),
    }
    gateway.handle(request, (error, response) => {
      if (error !== undefined) writeError(res, error)
      else if (response !== undefined) writeResponse(res, response)
      else if (next !== undefined) next()
      else if (notFound !== undefined) writeResponse(res, notFound(req))
      else writeText(res, 404, 'Not Found', {})
    })
  }
}
