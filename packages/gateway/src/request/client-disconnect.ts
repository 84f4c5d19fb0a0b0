import type { IncomingMessage, ServerResponse } from 'node:http'
import { constants } from 'node:http2'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { http2Stream, isHttp2, knowsHttp11 } from './http-version.ts'

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
  // node:http2 says so of responses, too, that were cut off.
  return !(http2Stream(req)?.aborted ?? !res.writableFinished)
}

/** Calls back when the response closes: because it is through, or because the client has gone. */
export function onResponseClose(
  req: IncomingMessage,
  res: ServerResponse,
  callback: () => void,
): void {
  res.once('close', callback)
  // Behind another response of a pipeline, one has no socket yet, and never hears of its end if that comes before.
  if (res.socket !== null || isHttp2(req)) return
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
  if (isHttp2(req)) res.once('close', callback)
  else watch(req.socket, callback)
}

/** Calls back no more. */
export function offClientDisconnect(
  req: IncomingMessage,
  res: ServerResponse,
  callback: () => void,
): void {
  if (isHttp2(req)) res.off('close', callback)
  else unwatch(req.socket, callback)
}

/**
 * Ends a response that has begun so that it cannot pass for whole, where to close it is not enough: before HTTP/1.1, where
 * the end of the connection is the end of the body, and in HTTP/2, where frameworks close streams without an error.
 */
export function abortResponse(req: IncomingMessage, res: ServerResponse): void {
  if (!res.headersSent) return
  const stream = http2Stream(req)
  if (stream !== undefined) stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  else if (!knowsHttp11(req)) reset(res.socket)
}

// Neither a unix socket nor TLS can be reset.
function reset(socket: Socket | null): void {
  const { remoteAddress, encrypted } = (socket ?? {}) as Partial<TLSSocket>
  if (remoteAddress !== undefined && !encrypted) socket?.resetAndDestroy()
}
