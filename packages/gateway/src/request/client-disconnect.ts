// Tells when the client disconnects or its response closes. One 'close' listener per socket serves all of its requests.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { http2Stream, isHttp2 } from './http-version.ts'

const CLOSE_CALLBACKS = Symbol('fastcgi.closeCallbacks')

/** A socket with what to call when it closes: null while nothing is. Most have one request at a time, and idle ones need no memory. */
interface WatchedSocket extends Socket {
  // A property, not a WeakMap: the look-up in a WeakMap was measured to cost more than everything else here.
  [CLOSE_CALLBACKS]?: (() => void) | Set<() => void> | null
}

function watch(socket: WatchedSocket, callback: () => void): void {
  const callbacks = socket[CLOSE_CALLBACKS]
  if (callbacks instanceof Set) {
    callbacks.add(callback)
    return
  }
  if (callbacks === undefined) socket.on('close', callBack)
  const isOnly = callbacks === undefined || callbacks === null || callbacks === callback
  socket[CLOSE_CALLBACKS] = isOnly ? callback : new Set([callbacks, callback])
}

function unwatch(socket: WatchedSocket, callback: () => void): void {
  const callbacks = socket[CLOSE_CALLBACKS]
  if (callbacks === callback) socket[CLOSE_CALLBACKS] = null
  else if (callbacks instanceof Set) callbacks.delete(callback)
}

/** The one listener of all sockets. */
function callBack(this: WatchedSocket): void {
  const callbacks = this[CLOSE_CALLBACKS]
  if (callbacks instanceof Set) for (const each of callbacks) each()
  else callbacks?.()
}

/**
 * Whether the response can no longer reach the client: the response, its socket or its HTTP/2 stream is closed.
 * @example
 * ```js
 * import { createServer } from 'node:http'
 * import { isGone } from '@fastcgi/gateway'
 *
 * createServer((req, res) => setTimeout(() => isGone(req, res) || res.end('still here'), 100))
 * ```
 */
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
