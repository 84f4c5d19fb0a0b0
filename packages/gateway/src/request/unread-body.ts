/**
 * What becomes of a request body that nobody reads, when the request is answered before it has come (RFC 9112 §9.6). Closing
 * the connection then makes the system reset it, and the client loses the answer that it has not read yet; to leave the
 * body where it is would block the connection for the next request. So a short body is dropped and the connection kept;
 * otherwise the connection lingers: it is half-closed behind the answer, and closed when the client has closed it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { isHttp2 } from './http-version.ts'

/** Bytes of a body that are dropped so that its connection can be kept; more, and it is closed */
const MOST_DROPPED = 65_536
/** Bytes that are dropped from a connection that lingers. */
const MOST_LINGERED = 67_108_864
/** Milliseconds that a connection lingers in all, and without a byte (as Apache's lingering_close). */
const LONGEST_LINGER = 30_000
const LINGER_PAUSE = 2000

/**
 * Prepares the connection of a request for an answer that comes now. Must be called before the head is written; costs
 * nothing where there is no body, or all of it has been read.
 */
export function settleUnreadBody(req: IncomingMessage, res: ServerResponse): void {
  if (!hasUnreadBody(req) || res.headersSent) return
  if (!req.complete && !isShort(req)) {
    // Becomes `Connection: close`.
    res.shouldKeepAlive = false
    lingerBehind(req.socket)
  }
  res.once('finish', () => dropBody(req))
}

/** Reads the rest of a body that nobody reads any more, and drops it. */
export function dropBody(req: IncomingMessage): void {
  if (hasUnreadBody(req) && req.listenerCount('data') === 0) req.resume()
}

function hasUnreadBody(req: IncomingMessage): boolean {
  if (req.readableEnded || req.destroyed || isHttp2(req)) return false
  const { 'transfer-encoding': coding, 'content-length': length } = req.headers
  return coding !== undefined || (length !== undefined && length !== '0')
}

function isShort({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length'] ?? Number.POSITIVE_INFINITY) <= MOST_DROPPED
}

/** Has node:http half-close the connection behind the last response, where it would close it. */
function lingerBehind(socket: Socket): void {
  socket.destroySoon = () => linger(socket)
}

function linger(socket: Socket): void {
  let left = MOST_LINGERED
  const close = (): void => {
    socket.destroy()
  }
  const longest = setTimeout(close, LONGEST_LINGER)
  const pause = setTimeout(() => {
    // The response is still on its way to a slow client.
    if (socket.writableFinished) close()
    else pause.refresh()
  }, LINGER_PAUSE)
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
  // While the parser of node:http has the socket, only its own listeners of `resume` start to read it again.
  socket.resume()
  setImmediate(takeOver, socket, drop)
}

/** Takes the socket from the parser of node:http, which must not see another request. */
function takeOver(socket: Socket, drop: (chunk: Buffer) => void): void {
  socket.on('data', drop)
  for (const event of ['data', 'end'])
    for (const listener of socket.listeners(event))
      if (listener !== drop) socket.off(event, listener as () => void)
  if (socket.readableEnded) socket.destroy()
  else socket.once('end', () => Socket.prototype.destroySoon.call(socket))
}
