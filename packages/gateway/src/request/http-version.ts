import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest, ServerHttp2Stream } from 'node:http2'

// Which version of HTTP a client understands.

/**
 * The HTTP/2 stream of a request; undefined for a request of node:http. The request line is no proof: node:http accepts
 * `GET / HTTP/2.0` and answers it in HTTP/1.
 */
export function http2Stream(req: IncomingMessage): ServerHttp2Stream | undefined {
  return req.httpVersionMajor < 2 ? undefined : (req as unknown as Http2ServerRequest).stream
}

/** Whether a request came by node:http2. */
export function isHttp2(req: IncomingMessage): boolean {
  return http2Stream(req) !== undefined
}

/** Whether the client understands chunks, ranges and informational responses; node:http sends no chunks to others. */
export function knowsHttp11(req: IncomingMessage): boolean {
  return req.httpVersion === '1.1' || isHttp2(req)
}
