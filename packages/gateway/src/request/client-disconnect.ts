// Tells when the client disconnects or its response closes. One 'close' listener per socket serves all of its requests.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { http2Stream, isHttp2 } from './http-version.ts'

const CLOSE_CALLBACKS = Symbol('fastcgi.closeCallbacks')

/** A socket with the callbacks to call when it closes. */
interface WatchedSocket extends Socket {
  // A property, not a WeakMap: the look-up in a WeakMap was measured to cost more than everything else here.
  [CLOSE_CALLBACKS]?: Set<() => void>
}

function watch(socket: WatchedSocket, callback: () => void): void {
  let callbacks = socket[CLOSE_CALLBACKS]
  if (callbacks === undefined) {
    const all = new Set<() => void>()
    socket.once('close', () => {
      for (const each of all) each()
    })
    socket[CLOSE_CALLBACKS] = all
    callbacks = all
  }
  callbacks.add(callback)
}

function unwatch(socket: WatchedSocket, callback: () => void): void {
  socket[CLOSE_CALLBACKS]?.delete(callback)
}

/** Whether the response can no longer reach the client: the response, its socket or its HTTP/2 stream is closed. */
export function isGone(req: IncomingMessage, res: ServerResponse): boolean {
  return res.closed || req.socket.destroyed
}

/** Whether all of a response has been handed to the socket. */
export function hasFinished(req: IncomingMessage, res: ServerResponse): boolean {
  // node:http2 sets writableFinished on responses that were cut off, too.
  return !(http2Stream(req)?.aborted ?? !res.writableFinished)
}

/** Calls back when the response closes, either because it is complete or because the client has disconnected. */
export function onResponseClose(
  req: IncomingMessage,
  res: ServerResponse,
  callback: () => void,
): void {
  res.once('close', callback)
  // A pipelined response has no socket until the responses before it are done, and emits no 'close' if the socket closes
  // first; so the socket itself is watched.
  if (res.socket !== null || isHttp2(req)) return
  watch(req.socket, callback)
  res.once('close', () => unwatch(req.socket, callback))
}

/** Removes a callback given to {@link onResponseClose}. */
export function offResponseClose(
  req: IncomingMessage,
  res: ServerResponse,
  callback: () => void,
): void {
  res.off('close', callback)
  unwatch(req.socket, callback)
}

/**
 * Calls back when the client disconnects before {@link offClientDisconnect} is called. Costs less per request than
 * {@link onResponseClose}, because in HTTP/1 it adds no listener to the response.
 */
export function onClientDisconnect(
  req: IncomingMessage,
  res: ServerResponse,
  callback: () => void,
): void {
  if (isHttp2(req)) res.once('close', callback)
  else watch(req.socket, callback)
}

/** Removes a callback given to {@link onClientDisconnect}. */
export function offClientDisconnect(
  req: IncomingMessage,
  res: ServerResponse,
  callback: () => void,
): void {
  if (isHttp2(req)) res.off('close', callback)
  else unwatch(req.socket, callback)
}
