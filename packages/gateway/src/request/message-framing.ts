// Refuses requests whose fields contradict each other, or the parser of Node, about where the body ends (RFC 9112 §6).

import type { IncomingMessage, ServerResponse } from 'node:http'
import { BadRequestError, TransferCodingError } from '../errors.ts'

const refusedSockets = new WeakSet<object>()

/**
 * Checks Content-Length and Transfer-Encoding of a request. The parser of node:http refuses both together, unless the server
 * has the option `insecureHTTPParser`; it passes on transfer codings that it does not decode, and chunks in HTTP/1.0. A web
 * server in front could find another end of such a body, and take the rest of it for the next request. node:http2 refuses all
 * of these by itself (RFC 9113 §8.1.1, §8.2.2).
 * @param res its connection is closed after the response to a request that is refused; requests that follow on it are refused,
 * too.
 * @throws BadRequestError, TransferCodingError
 */
export function checkFraming(req: IncomingMessage, res: ServerResponse): void {
  const error = framingError(req)
  if (error === undefined) return
  // What follows on the connection may be a part of the body. node:http has perhaps received it already.
  refusedSockets.add(req.socket)
  res.shouldKeepAlive = false
  throw error
}

function framingError(req: IncomingMessage): BadRequestError | TransferCodingError | undefined {
  const { 'transfer-encoding': coding, 'content-length': length } = req.headers
  if (refusedSockets.has(req.socket))
    return new BadRequestError('the request before it on the connection was refused')
  if (coding === undefined) return undefined
  if (req.httpVersion === '1.0' || req.httpVersion === '0.9')
    return new BadRequestError('HTTP/1.0 has no Transfer-Encoding')
  if (length !== undefined)
    return new BadRequestError('the request has both Content-Length and Transfer-Encoding')
  if (coding.toLowerCase() === 'chunked') return undefined
  return new TransferCodingError(`transfer coding ${coding} is unknown; there is only chunked`)
}
