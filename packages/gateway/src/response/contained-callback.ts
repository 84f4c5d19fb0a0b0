// Contains errors that an adapter, a framework or its middleware throws while it takes a response.
import { type IncomingMessage, ServerResponse } from 'node:http'
import { gatewayError } from '../error-status.ts'
import { settleUnreadBody } from '../request/unread-body.ts'
import { abortResponse } from './abort-response.ts'
import type { GatewayCallback, GatewayResponse } from './gateway-response.ts'
import type { SendTimeout, SentResponse } from './send-timeout.ts'

/**
 * Wraps the callback of an adapter so that what it throws fails only this request. Causes are, for example, middleware that
 * replaces `writeHead()`, a field that HTTP/2 allows only once, and hooks of a framework. The response body is destroyed,
 * which releases the application, the error is logged once, and the client receives a plain 500. If the response has begun,
 * its connection or HTTP/2 stream is broken off.
 *
 * Then the response is watched by `sendTimeout`.
 */
export function containedCallback(
  request: SentResponse,
  done: GatewayCallback,
  sendTimeout: SendTimeout,
): GatewayCallback {
  return (error, response) => {
    // With neither, the request goes on to the next handler, which reads its body and writes its own response.
    const isAnswered = error !== undefined || response !== undefined
    try {
      if (isAnswered) settleUnreadBody(request.req, request.res)
      done(error, response)
      if (isAnswered) sendTimeout.watch(request)
    } catch (thrown) {
      fail(request, thrown, response)
    }
  }
}

function fail(
  { req, res, logger }: SentResponse,
  thrown: unknown,
  response: GatewayResponse | undefined,
): void {
  const err = gatewayError(thrown)
  logger.error({ err }, `the response could not be handed over: ${thrown}`)
  const body = response?.body ?? null
  if (body !== null && !Buffer.isBuffer(body)) body.on('error', () => {}).destroy()
  if (res.headersSent) {
    breakOff(req, res)
    return
  }
  plain500(req, res)
}

/**
 * Sends a plain 500 with node's own functions: an error page of the framework would go through the code that has just thrown,
 * and middleware may have replaced the functions of this response.
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
