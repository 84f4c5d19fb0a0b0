/**
 * The rest of a request body when the response is complete before the body has been read (RFC 9112 §9.6).
 *
 * Closing the connection then makes the kernel send a reset, because there are unread bytes, and the reset discards what the
 * client has not read of the response. Leaving the body unread would block the connection for the next request. So a short
 * body is read and dropped and the connection is kept; with a longer one the connection lingers: it is half-closed after the
 * response, what the client still sends is dropped, and it is closed once the client closes it or a limit is reached.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { isHttp2 } from './http-version.ts'

/** Maximum length in bytes of a body that is dropped so that its connection can be kept. */
const MAX_DROPPED_BODY = 65_536
/** Maximum number of bytes that are dropped on a lingering connection. */
const MAX_LINGER_BYTES = 67_108_864
/** Maximum time in milliseconds that a connection lingers, in total and without receiving anything (as in Apache). */
const MAX_LINGER_TIME = 30_000
const LINGER_IDLE_TIME = 2000

/**
 * Prepares the connection of a request for a response that is sent now. Must be called before the head is written. Does
 * nothing where there is no body or all of it has been read.
 */
export function settleUnreadBody(req: IncomingMessage, res: ServerResponse): void {
  if (!hasUnreadBody(req) || res.headersSent) return
  if (!req.complete && !isShort(req)) {
    // node:http sends `Connection: close` then.
    res.shouldKeepAlive = false
    lingerAfterResponse(req.socket)
  }
  res.once('finish', () => dropBody(req))
}

/** Reads and drops the rest of a body, unless something else reads it. */
export function dropBody(req: IncomingMessage): void {
  if (hasUnreadBody(req) && req.listenerCount('data') === 0) req.resume()
}

function hasUnreadBody(req: IncomingMessage): boolean {
  // The cheapest check first: most requests have no body.
  const { 'transfer-encoding': coding, 'content-length': length = '0' } = req.headers
  if (coding === undefined && length === '0') return false
  return !req.readableEnded && !req.destroyed && !isHttp2(req)
}

function isShort({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length'] ?? Number.POSITIVE_INFINITY) <= MAX_DROPPED_BODY
}

/** Makes node:http half-close the connection after the last response instead of closing it. */
function lingerAfterResponse(socket: Socket): void {
  socket.destroySoon = () => linger(socket)
}

function linger(socket: Socket): void {
  let left = MAX_LINGER_BYTES
  const close = (): void => {
    socket.destroy()
  }
  const longest = setTimeout(close, MAX_LINGER_TIME)
  const pause = setTimeout(() => {
    // A slow client is still reading the response.
    if (socket.writableFinished) close()
    else pause.refresh()
  }, LINGER_IDLE_TIME)
  const drop = ({ length }: Buffer): void => {
    left -= length
    pause.refresh()
    if (left < 0) close()
  }
  socket.once('close', () => {
    clearTimeout(longest)
    clearTimeout(pause)
  })
  socket.end()
  // While the parser of node:http owns the socket, only its own listener of `resume` starts reading again.
  socket.resume()
  setImmediate(takeOver, socket, drop)
}

/** Takes the socket from the parser of node:http, which must not receive another request. */
function takeOver(socket: Socket, drop: (chunk: Buffer) => void): void {
  socket.on('data', drop)
  for (const event of ['data', 'end'])
    for (const listener of socket.listeners(event))
      if (listener !== drop) socket.off(event, listener as () => void)
  if (socket.readableEnded) socket.destroy()
  else socket.once('end', () => Socket.prototype.destroySoon.call(socket))
}
