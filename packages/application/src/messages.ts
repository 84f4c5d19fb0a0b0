import { IncomingMessage, ServerResponse } from 'node:http'
import type { Context, FastCGIRequest } from './context.ts'
import type { RequestHead } from './request-head.ts'
import type { RequestSocket } from './request-socket.ts'

/** What a request does besides what its head says. */
export interface RequestHooks {
  fastcgi: Context
  /** The reader of the body can take more. */
  onRead(): void
  /** The signal, made when it is first asked for. */
  signal(): AbortSignal
}

/**
 * An IncomingMessage without an HTTP connection. Own properties only: Express puts its prototype in the place of the
 * one that is there.
 */
export function createRequest(
  head: RequestHead,
  socket: RequestSocket,
  hooks: RequestHooks,
): FastCGIRequest {
  const req = new IncomingMessage(socket)
  req.method = head.method
  req.url = head.url
  req.httpVersionMajor = 1
  req.httpVersionMinor = head.httpVersionMinor
  req.httpVersion = `1.${head.httpVersionMinor}`
  req.headers = head.headers
  req.rawHeaders = head.rawHeaders
  req._read = hooks.onRead
  const own = {
    fastcgi: { value: hooks.fastcgi, enumerable: true },
    signal: { get: hooks.signal, configurable: true },
    headersDistinct: { get: () => distinct(head.headers), configurable: true },
  }
  return Object.defineProperties<IncomingMessage & Record<string, unknown>>(
    req as IncomingMessage & Record<string, unknown>,
    own,
  ) as IncomingMessage as FastCGIRequest
}

/** A ServerResponse that writes to the socket, and never frames what it writes: FastCGI does that. */
export function createResponse(req: FastCGIRequest, socket: RequestSocket): ServerResponse {
  const res = new ServerResponse(req)
  // The web server gives it.
  res.sendDate = false
  let chunked = false
  Object.defineProperties(res, {
    // As it is found until there is a head, for a Trailer needs it; and off when it comes to the body.
    chunkedEncoding: {
      get: () => chunked && !res.headersSent,
      set: (value: boolean) => {
        chunked = value
      },
    },
    // Its own is taken back by node:http's server only.
    writableNeedDrain: { get: () => !res.destroyed && !res.finished && socket.writableNeedDrain },
  })
  res.assignSocket(socket)
  socket.on('drain', () => {
    if (!res.finished) res.emit('drain')
  })
  return res
}

function distinct(headers: Record<string, string>): Record<string, string[]> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]))
}
