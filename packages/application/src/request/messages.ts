import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Context, FastCGIRequest } from './context.ts'
import type { RequestHead } from './request-head.ts'
import type { RequestSocket } from './request-socket.ts'

/** What a request has besides what its head says. */
export interface RequestExtras {
  fastcgi: Context
  signal: AbortSignal
  /** The reader of the body can take more. */
  onRead(): void
}

/**
 * An IncomingMessage without an HTTP connection. What is ours are its own properties, because Express puts a prototype
 * of its own in the place of the one that is there; and no accessors, which would make all of `req` slow.
 */
export function createRequest(
  head: RequestHead,
  socket: RequestSocket,
  { fastcgi, signal, onRead }: RequestExtras,
): FastCGIRequest {
  const req: IncomingMessage & { -readonly [K in 'fastcgi' | 'signal']?: FastCGIRequest[K] } =
    new IncomingMessage(asSocket(socket))
  req.method = head.method
  req.url = head.url
  req.httpVersionMajor = 1
  req.httpVersionMinor = head.httpVersionMinor
  req.httpVersion = `1.${head.httpVersionMinor}`
  addFields(req, head.rawHeaders)
  req._read = onRead
  req.fastcgi = fastcgi
  req.signal = signal
  return req as FastCGIRequest
}

/** A ServerResponse that writes to the socket, and never frames what it writes: FastCGI does that. */
export function createResponse(req: FastCGIRequest, socket: RequestSocket): ServerResponse {
  const res: ServerResponse = new ServerResponse(req)
  // The web server gives it.
  res.sendDate = false
  res.writeHead = writeHead
  res.assignSocket(asSocket(socket))
  socket.on('drain', () => {
    if (res.finished) return
    if (NEED_DRAIN !== undefined) Reflect.set(res, NEED_DRAIN, false)
    res.emit('drain')
  })
  return res
}

/** For node:http, any Duplex is a socket that has what it uses of one. */
function asSocket(socket: RequestSocket): Socket {
  return socket as Duplex as Socket
}

/** node:http makes `headers` and `headersDistinct` of these when it is asked for them. */
function addFields(req: IncomingMessage, fields: string[]): void {
  const message = req as IncomingMessage & {
    _addHeaderLines(fields: string[], count: number): void
  }
  message._addHeaderLines(fields, fields.length)
}

const { writeHead: writeHttpHead } = ServerResponse.prototype

/** That of node:http, which also decides on chunked encoding: by the head, where nobody else hears of it. */
function writeHead(this: ServerResponse, ...args: unknown[]): ServerResponse {
  writeHttpHead.apply(this, args as Parameters<typeof writeHttpHead>)
  this.chunkedEncoding = false
  return this
}

/** Where a ServerResponse keeps `writableNeedDrain`, which otherwise only the server of node:http takes back. */
const NEED_DRAIN = Object.getOwnPropertySymbols(
  new ServerResponse(new IncomingMessage(new Socket())),
).find(({ description }) => description === 'kNeedDrain')
