import type { ServerResponse } from 'node:http'
import { createStatus, type StatusOptions, writeResponse } from '@fastcgi/gateway'
import { FORM_LIMIT, isHttp2, joinDispatchers } from '@fastcgi/gateway/internal'
import { clientOf, type ExpressRequest, type FastCGIMiddleware } from './middleware.ts'

/** Options of {@link fastcgiStatus}. */
export interface FastCGIStatusOptions extends Omit<StatusOptions, 'dispatchers'> {
  /** What to show: middleware of fastcgiProxy or fastcgiAuthorizer, several of them, dispatchers by name, or a function that returns those. */
  dispatchers: FastCGIMiddleware | readonly FastCGIMiddleware[] | StatusOptions['dispatchers']
}

/** Express middleware that shows how balancers and pools fare. */
export type StatusMiddleware = (
  req: ExpressRequest,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void

/**
 * Middleware that shows how balancers and pools fare: `app.use('/status', fastcgiStatus({ dispatchers: proxy }))`. It asks
 * nobody who he is: put it behind middleware that does.
 * @throws OptionError for options that cannot be.
 */
export function fastcgiStatus(options: FastCGIStatusOptions): StatusMiddleware {
  const dispatchers = dispatchersOf(options.dispatchers)
  const status = createStatus({ ...options, dispatchers }, 'fastcgiStatus')
  return (req, res, next) => {
    if ((req.url ?? '/').split('?', 1)[0] !== '/') {
      next()
      return
    }
    const { scheme, host } = clientOf(req)
    const path = req.originalUrl ?? req.url ?? '/'
    const url = host === '' ? path : `${scheme}://${host}${path}`
    const answer = (body: unknown): void => {
      try {
        const response = status.respond({
          method: req.method ?? 'GET',
          url,
          headers: req.headers,
          body,
        })
        const { headers } = response
        // A form that nobody reads to its end must not be taken for the next request.
        if (!req.complete && !isHttp2(req)) headers.push('Connection', 'close')
        writeResponse(res, { ...response, reason: '', body: Buffer.from(response.body) })
      } catch (error) {
        next(error)
      }
    }
    if (req.method !== 'POST' || options.actions !== true) answer(undefined)
    else if (wasParsed(req)) answer(asForm(req.body))
    else readBody(req, answer)
  }
}

function dispatchersOf(given: FastCGIStatusOptions['dispatchers']): StatusOptions['dispatchers'] {
  if (isMiddleware(given)) return () => joinDispatchers([given])
  if (isList(given)) return () => joinDispatchers(given)
  return given
}

function isMiddleware(given: FastCGIStatusOptions['dispatchers']): given is FastCGIMiddleware {
  return typeof given === 'function' && 'dispatchers' in given
}

function isList(
  given: readonly FastCGIMiddleware[] | StatusOptions['dispatchers'],
): given is readonly FastCGIMiddleware[] {
  return Array.isArray(given)
}

/** Parsers set `body` even where they leave the request alone. */
function wasParsed({ body, readableDidRead }: ExpressRequest): boolean {
  return body !== undefined && (readableDidRead || Object.keys(Object(body)).length > 0)
}

function asForm(body: unknown): unknown {
  return Buffer.isBuffer(body) ? body.toString() : body
}

/** Reads a form; of one that is too long only so much that this can be seen. */
function readBody(req: ExpressRequest, done: (body: string) => void): void {
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
  // Where the client goes away there is nobody to answer.
  req
    .on('data', take)
    .on('end', finish)
    .on('error', () => {})
}
