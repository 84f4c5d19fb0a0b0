// Writes responses of the gateway to node:http and node:http2.

import { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { GatewayError } from './error-status.ts'
import { isGone } from './request/client-disconnect.ts'
import { isHttp2 } from './request/http-version.ts'
import { fieldValue } from './response/field-list.ts'
import type { GatewayResponse } from './response/gateway-response.ts'
import { setFields } from './response/repeated-fields.ts'

/**
 * Writes a response of the gateway to a response of node:http or of node:http2's compatibility API. If the head has been
 * sent or the client has disconnected, it writes nothing and destroys the body.
 * @example
 * ```js
 * import { createServer } from 'node:http'
 * import { createGateway, writeResponse } from '@fastcgi/gateway'
 *
 * const gateway = createGateway({ upstream: 'unix:/run/php/php-fpm.sock', root: '/var/www/site' })
 * createServer((req, res) => {
 *   const client = { address: req.socket.remoteAddress, scheme: 'http', host: req.headers.host }
 *   gateway.handle({ req, res, source: req, url: req.url, mount: '', client }, (error, response) => {
 *     if (response) writeResponse(res, response)
 *     else res.writeHead(error?.status ?? 404).end()
 *   })
 * })
 * ```
 */
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
    // Fast path: writeHead() with a flat array stores no fields by name, so it costs far less than setHeader().
    // It does not change the array.
    const flat = fields as string[]
    if (reason === '') res.writeHead(status, flat)
    else res.writeHead(status, reason, flat)
    return
  }
  setFields(
    fields,
    (name) => res.getHeader(name),
    (name, value) => res.setHeader(name, value),
  )
  res.statusCode = status
  if (reason !== '' && !isHttp2(res.req)) res.statusMessage = reason
  // The head must be made before end() adds a Content-Length: node:http would then take Content-Disposition for UTF-8 and
  // change its bytes.
  if (ends) res.writeHead(status)
}

/**
 * Whether no field has been set and no middleware will read the fields, so that they may bypass setHeader(): getHeader()
 * does not return fields passed to writeHead(). Middleware shows by a replaced method or by a listener; loggers, for
 * instance, read the fields on 'finish' or 'close'. node:http itself has one listener for 'finish'.
 */
function isUntouched(res: ServerResponse): boolean {
  const { writeHead, setHeader, end } = ServerResponse.prototype
  const hasListeners = res.listenerCount('finish') > 1 || res.listenerCount('close') > 0
  return (
    !hasListeners &&
    res.writeHead === writeHead &&
    res.setHeader === setHeader &&
    res.end === end &&
    res.getHeaderNames().length === 0
  )
}

// Not stream.pipeline(): it makes an AbortController and an Error per call, which take longer than the rest of a request.
function pipeBody(res: ServerResponse, body: Readable): void {
  // An empty write in latin1 sends the head now; flushHeaders() would encode it as UTF-8 and change bytes over 127.
  if (body.readableLength === 0) res.write('', 'latin1')
  body.on('error', ignore)
  res.on('error', ignore)
  // A body that breaks off destroys the client's connection, so that the client cannot take a part for the whole.
  body.once('close', () => {
    if (!body.readableEnded) res.destroy(body.errored ?? undefined)
  })
  res.once('close', () => body.destroy())
  body.pipe(res)
  if (hasFlush(res)) flushWhenIdle(res, body)
}

/** A response with the function that middleware such as compression() adds, which sends what it has compressed so far. */
type FlushableResponse = ServerResponse & { flush(): void }

function hasFlush(res: ServerResponse): res is FlushableResponse {
  return typeof (res as Partial<FlushableResponse>).flush === 'function'
}

/**
 * Flushes compressing middleware when the application pauses, so that events reach the client as they come. While data
 * keeps coming there is no flush, which would make the compression worse.
 */
function flushWhenIdle(res: FlushableResponse, body: Readable): void {
  let timer: NodeJS.Immediate | undefined
  const flush = (): void => {
    timer = undefined
    if (body.readableLength === 0 && !body.readableEnded && !res.destroyed) res.flush()
  }
  const onData = (): void => {
    timer ??= setImmediate(flush)
  }
  body.on('data', onData)
  body.once('close', () => clearImmediate(timer))
  onData()
}

function ignore(): void {}

/** Writes a failure as a short text. */
export function writeError(res: ServerResponse, error: GatewayError): void {
  writeText(res, error.status, error.message, error.headers)
}

/** Writes a short text as a complete response; does nothing if the head has been sent or the client has disconnected. */
export function writeText(
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
