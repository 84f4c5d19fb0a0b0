import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest, ServerHttp2Stream } from 'node:http2'

/**
 * The stream of a request of node:http2. What the request line says is no proof: node:http takes `GET / HTTP/2.0` and
 * answers it in HTTP/1.
 */
export function http2Stream(req: IncomingMessage): ServerHttp2Stream | undefined {
  return req.httpVersionMajor < 2 ? undefined : (req as unknown as Http2ServerRequest).stream
}

export function isHttp2(req: IncomingMessage): boolean {
  return http2Stream(req) !== undefined
}

/** Whether the client knows chunks, ranges and informational responses. node:http sends no chunks to others. */
export function knowsHttp11(req: IncomingMessage): boolean {
  return req.httpVersion === '1.1' || isHttp2(req)
}
