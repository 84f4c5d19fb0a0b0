// Creates the IncomingMessage and ServerResponse of a request, without an HTTP connection below them.
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { CONTEXT, type Context, type FastCGIRequest } from './context.ts'
import type { RequestHead } from './request-head.ts'
import type { RequestSocket } from './request-socket.ts'

/** Properties of a request that do not come from its head. */
export interface RequestExtras {
  fastcgi: Context
  signal: AbortSignal
  /** `_read` of the body. */
  onRead(): void
}

/**
 * Creates an IncomingMessage without an HTTP connection. Additions are own properties, because Express replaces the
 * prototype of `req`; and data properties, because accessors would make V8 treat all of `req` as a slow object.
 */
export function createRequest(
  head: RequestHead,
  socket: RequestSocket,
  { fastcgi, signal, onRead }: RequestExtras,
): FastCGIRequest {
  const req: IncomingMessage & { fastcgi?: Context; [CONTEXT]?: Context } = new IncomingMessage(
    asSocket(socket),
  )
  req.method = head.method
  req.url = head.url
  req.httpVersionMajor = 1
  req.httpVersionMinor = head.httpVersionMinor
  req.httpVersion = `1.${head.httpVersionMinor}`
  addFields(req, head.rawHeaders)
  req._read = onRead
  req.fastcgi = fastcgi
  req[CONTEXT] = fastcgi
  // Not by assignment: newer IncomingMessages have a getter of that name.
  Object.defineProperty(req, 'signal', { value: signal, configurable: true, writable: true })
  return req as IncomingMessage as FastCGIRequest
}

/** Creates a ServerResponse that writes to the socket without chunked coding, since FastCGI records frame the body. */
export function createResponse(req: FastCGIRequest, socket: RequestSocket): ServerResponse {
  const res: ServerResponse = new ServerResponse(req)
  // The web server adds Date.
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

/** node:http needs only the members of a socket that RequestSocket has. */
function asSocket(socket: RequestSocket): Socket {
  return socket as Duplex as Socket
}

/** Sets the fields; node:http derives `headers` and `headersDistinct` from them lazily. */
function addFields(req: IncomingMessage, fields: string[]): void {
  const message = req as IncomingMessage & {
    _addHeaderLines(fields: string[], count: number): void
  }
  message._addHeaderLines(fields, fields.length)
}

const { writeHead: writeHttpHead } = ServerResponse.prototype

/** writeHead() of node:http, after which chunked coding is turned off: node:http decides on it there, and has no option against it. */
function writeHead(this: ServerResponse, ...args: unknown[]): ServerResponse {
  writeHttpHead.apply(this, args as Parameters<typeof writeHttpHead>)
  this.chunkedEncoding = false
  return this
}

/** Symbol under which a ServerResponse keeps `writableNeedDrain`; only the 'drain' listener of http.Server resets it. */
const NEED_DRAIN = Object.getOwnPropertySymbols(
  new ServerResponse(new IncomingMessage(new Socket())),
).find(({ description }) => description === 'kNeedDrain')
