import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants, type Http2ServerRequest, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

const WATCHERS = Symbol('fastcgi.watchers')

/** A socket with those who are to be told when it closes: one listener for all the requests that come on it. */
interface WatchedSocket extends Socket {
  // A property of its own: a WeakMap costs more than the rest of this.
  [WATCHERS]?: Set<() => void>
}

function watch(socket: WatchedSocket, callback: () => void): void {
  let callbacks = socket[WATCHERS]
  if (callbacks === undefined) {
    const all = new Set<() => void>()
    socket.once('close', () => {
      for (const each of all) each()
    })
    socket[WATCHERS] = all
    callbacks = all
  }
  callbacks.add(callback)
}

function unwatch(socket: WatchedSocket, callback: () => void): void {
  socket[WATCHERS]?.delete(callback)
}

/** Whether nobody is left to answer: the response is closed, its socket is, or its HTTP/2 stream. */
export function isGone(req: IncomingMessage, res: ServerResponse): boolean {
  return res.closed || req.socket.destroyed
}

/** Whether all of a response has been handed to the socket. */
export function hasFinished(req: IncomingMessage, res: ServerResponse): boolean {
  if (req.httpVersionMajor < 2) return res.writableFinished
  // node:http2 says so of responses, too, that were cut off.
  return !streamOf(req).aborted
}

/** Calls back when the response closes: because it is through, or because the client has gone. */
export function onResponseClose(
  req: IncomingMessage,
  res: ServerResponse,
  callback: () => void,
): void {
  res.once('close', callback)
  // Behind another response of a pipeline, one has no socket yet, and never hears of its end if that comes before.
  if (res.socket !== null || req.httpVersionMajor >= 2) return
  watch(req.socket, callback)
  res.once('close', () => unwatch(req.socket, callback))
}

/** Calls back no more. */
export function offResponseClose(
  req: IncomingMessage,
  res: ServerResponse,
  callback: () => void,
): void {
  res.off('close', callback)
  unwatch(req.socket, callback)
}

/** Calls back when the client goes away before {@link offClientDisconnect} is called. Costs less than {@link onResponseClose}. */
export function onClientDisconnect(
  req: IncomingMessage,
  res: ServerResponse,
  callback: () => void,
): void {
  if (req.httpVersionMajor >= 2) res.once('close', callback)
  else watch(req.socket, callback)
}

/** Calls back no more. */
export function offClientDisconnect(
  req: IncomingMessage,
  res: ServerResponse,
  callback: () => void,
): void {
  if (req.httpVersionMajor >= 2) res.off('close', callback)
  else unwatch(req.socket, callback)
}

/**
 * Ends a response that has begun so that it cannot pass for whole, where to close it is not enough: in HTTP/1.0, where
 * the end of the connection is the end of the body, and in HTTP/2, where frameworks close streams without an error.
 */
export function abortResponse(req: IncomingMessage, res: ServerResponse): void {
  if (!res.headersSent) return
  if (req.httpVersionMajor >= 2) streamOf(req).close(constants.NGHTTP2_INTERNAL_ERROR)
  else if (req.httpVersion === '1.0') reset(res.socket)
}

/** Field for a response to a request whose body nobody reads: it must not be taken for the next request (RFC 9112 §9.6). */
export function unreadClose(req: IncomingMessage): string[] {
  if (req.complete || req.httpVersionMajor >= 2) return []
  // A request without a body is not complete yet either when it is answered at once.
  const { 'transfer-encoding': coding, 'content-length': length = '0' } = req.headers
  return coding === undefined && Number(length) === 0 ? [] : ['Connection', 'close']
}

// Neither a unix socket nor TLS can be reset.
function reset(socket: Socket | null): void {
  const { remoteAddress, encrypted } = (socket ?? {}) as Partial<TLSSocket>
  if (remoteAddress !== undefined && !encrypted) socket?.resetAndDestroy()
}

function streamOf(req: IncomingMessage): ServerHttp2Stream {
  return (req as unknown as Http2ServerRequest).stream
}
