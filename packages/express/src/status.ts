// The status page as Express middleware.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createStatus, type StatusOptions, writeResponse } from '@fastcgi/gateway'
import { FORM_LIMIT, isHttp2, joinCaches, joinDispatchers } from '@fastcgi/gateway/internal'
import type { Request } from 'express'
import { clientOf, type HandledRequest } from './handled-request.ts'
import type { FastCGIMiddleware } from './middleware.ts'

/** Options of {@link fastcgiStatus}. `Req` is the request that functions among them get, such as `actions`. */
export interface FastCGIStatusOptions<Req extends IncomingMessage = Request>
  extends Omit<StatusOptions<Req>, 'dispatchers'> {
  /** What to show: middleware of fastcgiProxy or fastcgiAuthorizer, a list of those, dispatchers by name, or a function that returns them. */
  dispatchers: ShownDispatchers
}

type ShownDispatchers =
  | FastCGIMiddleware
  | readonly FastCGIMiddleware[]
  | StatusOptions['dispatchers']

/** Express middleware created by {@link fastcgiStatus}. */
export type StatusMiddleware = (
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void

/**
 * Middleware that shows the state of balancers and pools: `app.use('/status', fastcgiStatus({ dispatchers: proxy }))`. It
 * does not authenticate clients: put it behind middleware that does. Without the option `actions` it changes nothing.
 * @throws OptionError for an unknown option or an invalid value.
 * @example
 * ```js
 * import { fastcgiProxy, fastcgiStatus } from '@fastcgi/express'
 * import express from 'express'
 *
 * const php = fastcgiProxy({ upstream: 'unix:/run/php/php-fpm.sock', root: '/var/www/site' })
 * express().use('/status', fastcgiStatus({ dispatchers: php.dispatchers })).use(php)
 * ```
 */
export function fastcgiStatus<Req extends IncomingMessage = Request>(
  options: FastCGIStatusOptions<Req>,
): StatusMiddleware {
  const dispatchers = dispatchersOf(options.dispatchers)
  const caches = options.caches ?? cachesOf(options.dispatchers)
  const status = createStatus<Req>({ ...options, dispatchers, caches }, 'fastcgiStatus')
  return (req: HandledRequest, res, next) => {
    if ((req.url ?? '/').split('?', 1)[0] !== '/') {
      next()
      return
    }
    const { scheme, host } = clientOf(req)
    const path = req.originalUrl ?? req.url ?? '/'
    const url = host === '' ? path : `${scheme}://${host}${path}`
    const respond = (body: unknown): void => {
      try {
        const { method = 'GET', headers: fields } = req
        const response = status.respond(
          { method, url, headers: fields, body },
          req as IncomingMessage as Req,
        )
        const { headers } = response
        // Closes the connection if the form was not read to its end: the rest must not be parsed as the next request.
        if (!req.complete && !isHttp2(req)) headers.push('Connection', 'close')
        writeResponse(res, { ...response, reason: '', body: Buffer.from(response.body) })
      } catch (error) {
        next(error)
      }
    }
    if (req.method !== 'POST' || typeof options.actions !== 'function') respond(undefined)
    else if (isParsed(req)) respond(formOf(req.body))
    else readBody(req, respond)
  }
}

function dispatchersOf(given: ShownDispatchers): StatusOptions['dispatchers'] {
  if (isMiddleware(given)) return () => joinDispatchers([given])
  if (isList(given)) return () => joinDispatchers(given)
  return given
}

/** The caches of middleware. */
function cachesOf(given: ShownDispatchers): StatusOptions['caches'] {
  const shown = isMiddleware(given) ? [given] : isList(given) ? given : []
  return () => joinCaches(shown)
}

function isMiddleware(given: ShownDispatchers): given is FastCGIMiddleware {
  return typeof given === 'function' && 'dispatchers' in given
}

function isList(
  given: readonly FastCGIMiddleware[] | StatusOptions['dispatchers'],
): given is readonly FastCGIMiddleware[] {
  return Array.isArray(given)
}

/** Whether a body parser has read the body. Parsers set `body` even if they do not read the request. */
function isParsed({ body, readableDidRead }: HandledRequest): boolean {
  return body !== undefined && (readableDidRead || Object.keys(Object(body)).length > 0)
}

function formOf(body: unknown): unknown {
  return Buffer.isBuffer(body) ? body.toString() : body
}

/** Reads a form, but not much more than FORM_LIMIT bytes: enough for the caller to see that it is too long. */
function readBody(req: IncomingMessage, done: (body: string) => void): void {
  const chunks: Buffer[] = []
  let length = 0
  const finish = (): void => {
    req.off('data', take).off('end', finish)
    done(Buffer.concat(chunks).toString())
  }
  const take = (chunk: Buffer): void => {
    chunks.push(chunk)
    length += chunk.length
    if (length <= FORM_LIMIT) return
    req.pause()
    finish()
  }
  // On an error the client has disconnected, so there is no response.
  req
    .on('data', take)
    .on('end', finish)
    .on('error', () => {})
}
