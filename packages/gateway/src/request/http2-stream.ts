import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest, ServerHttp2Stream } from 'node:http2'

/**
 * The HTTP/2 stream of a request whose `httpVersionMajor` is 2. node:http2 passes its own class where node:http is
 * typed.
 */
export function http2StreamOf(req: IncomingMessage): ServerHttp2Stream {
  return (req as unknown as Http2ServerRequest).stream
}
