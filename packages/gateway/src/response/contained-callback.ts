/** Keeps what an adapter throws, or the framework behind it, from reaching `uncaughtException`. */
import { type IncomingMessage, ServerResponse } from 'node:http'
import { gatewayError } from '../error-status.ts'
import type { GatewayLogger } from '../logger.ts'
import { abortResponse } from '../request/client-disconnect.ts'
import { settleUnreadBody } from '../request/unread-body.ts'
import type { GatewayCallback, GatewayResponse } from './gateway-response.ts'

/** Whose response it is. */
export interface ContainedRequest {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly logger: GatewayLogger
}

/**
 * Wraps the callback of an adapter. When it throws, by `writeHead()` of another middleware, by a field that HTTP/2 does
 * not take, by a hook, the application is let go, the failure is logged once, and the client gets a plain 500; where the
 * response has begun, its connection or HTTP/2 stream is broken off.
 */
export function containedCallback(
  request: ContainedRequest,
  done: GatewayCallback,
): GatewayCallback {
  return (error, response) => {
    try {
      // Otherwise the request goes on to somebody else.
      if (error !== undefined || response !== undefined) settleUnreadBody(request.req, request.res)
      done(error, response)
    } catch (thrown) {
      fail(request, thrown, response)
    }
  }
}

function fail(
  { req, res, logger }: ContainedRequest,
  thrown: unknown,
  response: GatewayResponse | undefined,
): void {
  const err = gatewayError(thrown)
  logger.error({ err }, `${req.method} the response could not be handed over: ${thrown}`)
  const body = response?.body ?? null
  if (body !== null && !Buffer.isBuffer(body)) body.on('error', () => {}).destroy()
  if (res.headersSent) {
    breakOff(req, res)
    return
  }
  plain500(req, res)
}

/**
 * Not by an error page of the framework, which would go through what has just thrown. For the same reason past the
 * functions that middleware has put in the place of node's own.
 */
function plain500(req: IncomingMessage, res: ServerResponse): void {
  const own = res instanceof ServerResponse ? ServerResponse.prototype : res
  try {
    for (const name of res.getHeaderNames()) res.removeHeader(name)
    const fields = { 'content-type': 'text/plain; charset=utf-8' }
    Reflect.apply(own.writeHead, res, [500, fields])
    Reflect.apply(own.end, res, ['Internal Server Error\n'])
  } catch {
    breakOff(req, res)
  }
}

function breakOff(req: IncomingMessage, res: ServerResponse): void {
  abortResponse(req, res)
  res.destroy()
}
