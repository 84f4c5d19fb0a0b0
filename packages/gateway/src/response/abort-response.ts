import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants } from 'node:http2'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { http2Stream, knowsHttp11 } from '../request/http-version.ts'

/**
 * Breaks off a response whose head has been sent, so that the client cannot take it for complete. Destroying the response
 * is enough in HTTP/1.1; this is for HTTP/1.0, where the end of the connection is the end of the body, and for HTTP/2, where
 * frameworks close the stream without an error.
 */
export function abortResponse(req: IncomingMessage, res: ServerResponse): void {
  if (!res.headersSent) return
  const stream = http2Stream(req)
  if (stream !== undefined) stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  else if (!knowsHttp11(req)) resetConnection(res.socket)
}

/** Disconnects a client that reads nothing: closes its HTTP/2 stream, or its connection. */
export function disconnectClient(req: IncomingMessage, res: ServerResponse): void {
  const stream = http2Stream(req)
  if (stream !== undefined) {
    stream.close(constants.NGHTTP2_CANCEL)
    return
  }
  // A reset also discards what the system has not sent yet.
  resetConnection(req.socket)
  res.destroy()
}

/** Sends a TCP RST. Unix sockets have none, and node:tls offers none. */
function resetConnection(socket: Socket | null): void {
  const { remoteAddress, encrypted } = (socket ?? {}) as Partial<TLSSocket>
  if (remoteAddress !== undefined && !encrypted) socket?.resetAndDestroy()
}
