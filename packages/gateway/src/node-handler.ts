import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { ClientInfo } from './environment/request-facts.ts'
import type { GatewayError } from './error-status.ts'
import type { Gateway, NodeHandler } from './gateway.ts'
import { isGone } from './request/client-disconnect.ts'
import { isHttp2 } from './request/http-version.ts'
import type { GatewayResponse } from './response/gateway-response.ts'
import { fieldValue, setFields } from './response/response-fields.ts'

/** The client as the socket shows it, where no framework knows better. */
export function socketClient(req: IncomingMessage): ClientInfo {
  const host = req.headers[':authority'] ?? req.headers.host
  return {
    address: '',
    scheme: (req.socket as TLSSocket).encrypted ? 'https' : 'http',
    host: typeof host === 'string' ? host : '',
  }
}

/** Makes a handler for a server without a framework. */
export function createHandler(gateway: Gateway): NodeHandler {
  return (req, res, next) => {
    const request = {
      req,
      res,
      source: req,
      url: req.url ?? '/',
      mount: '',
      client: socketClient(req),
    }
    gateway.handle(request, (error, response) => {
      if (error !== undefined) writeError(res, error)
      else if (response !== undefined) writeResponse(res, response)
      else if (next !== undefined) next()
      else writeText(res, 404, 'Not Found', {})
    })
  }
}

/** Writes a response of the gateway to node:http, HTTP/2 included. */
export function writeResponse(res: ServerResponse, response: GatewayResponse): void {
  const { body } = response
  if (res.headersSent || isGone(res.req, res)) {
    if (body !== null && !Buffer.isBuffer(body)) body.destroy()
    return
  }
  writeFields(res, response)
  if (body === null || Buffer.isBuffer(body)) res.end(body ?? undefined)
  else pipeBody(res, body)
}

function writeFields(
  res: ServerResponse,
  { status, reason, headers, body }: GatewayResponse,
): void {
  const bodiless = res.req.method === 'HEAD' || status === 204 || status === 304
  const ends = body === null || Buffer.isBuffer(body)
  const fields =
    bodiless || !ends || fieldValue(headers, 'content-length') !== undefined
      ? headers
      : [...headers, 'Content-Length', String(body?.length ?? 0)]
  if (isUntouched(res)) {
    // As they are: of all ways to set fields the one that costs least, by far.
    if (reason === '') res.writeHead(status, fields)
    else res.writeHead(status, reason, fields)
    return
  }
  setFields(
    fields,
    (name) => res.getHeader(name),
    (name, value) => res.setHeader(name, value),
  )
  res.statusCode = status
  if (reason !== '' && !isHttp2(res.req)) res.statusMessage = reason
  // Before there is a length of its own: node:http would take Content-Disposition for UTF-8 then and change its bytes.
  if (ends) res.writeHead(status)
}

/** Whether nobody has set a field, nor will look for those of the response: getHeader() does not know what writeHead() is given. */
function isUntouched(res: ServerResponse): boolean {
  const { writeHead, setHeader, end } = ServerResponse.prototype
  // Besides those who have put a function of their own in place: loggers, who look when it is over. node:http itself is one.
  const onlookers = res.listenerCount('finish') > 1 || res.listenerCount('close') > 0
  return (
    !onlookers &&
    res.writeHead === writeHead &&
    res.setHeader === setHeader &&
    res.end === end &&
    res.getHeaderNames().length === 0
  )
}

// Not by pipeline(): it makes an AbortController and an error for each, which take longer than all the rest of a request.
function pipeBody(res: ServerResponse, body: Readable): void {
  // The head goes out now, in latin1: flushHeaders() would write it as UTF-8 and spoil bytes over 127.
  if (body.readableLength === 0) res.write('', 'latin1')
  body.on('error', ignore)
  res.on('error', ignore)
  // A body that breaks off destroys the connection: the client must not take a part for the whole.
  body.once('close', () => {
    if (!body.readableEnded) res.destroy(body.errored ?? undefined)
  })
  res.once('close', () => body.destroy())
  body.pipe(res)
}

function ignore(): void {}

/** Writes a failure as a short text. */
export function writeError(res: ServerResponse, error: GatewayError): void {
  writeText(res, error.status, error.message, error.headers)
}

function writeText(
  res: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>>,
): void {
  if (res.headersSent || isGone(res.req, res)) return
  const body = Buffer.from(`${text}\n`)
  res.writeHead(status, {
    ...headers,
    'content-type': 'text/plain; charset=utf-8',
    'content-length': body.length,
  })
  res.end(body)
}
