// The variables that authorizers have set for a request, and the removal of header fields from the request.

import type { IncomingMessage } from 'node:http'
import { Variables } from './variables.ts'

/** The variables that authorizers have set for a request (`Variable-` fields, FastCGI 1.0 §6.3). */
export interface RequestVariables {
  /** Values by the name that the application sent; latin1, as header field values are in Node. */
  readonly variables: Readonly<Record<string, string>>
}

/** In a WeakMap, not on the request, so that nothing that a client or other middleware sets can pass for a variable. */
const variablesByRequest = new WeakMap<IncomingMessage, Variables>()
const NONE: RequestVariables = { variables: Object.freeze(Object.create(null)) }

/** The variables set for a request so far; undefined if no authorizer has allowed it. */
export function variablesFor(req: IncomingMessage): Variables | undefined {
  return variablesByRequest.get(req)
}

/** The variables of a request, created if needed. From then on they can also be read as `req.fastcgi`. */
export function ensureVariables(req: IncomingMessage): Variables {
  let variables = variablesByRequest.get(req)
  if (variables === undefined) {
    variables = new Variables()
    variablesByRequest.set(req, variables)
    const value: RequestVariables = { variables: variables.values }
    Object.defineProperty(req, 'fastcgi', { value, configurable: true, enumerable: true })
  }
  return variables
}

/**
 * The variables that authorizers have set for a request, as in `req.fastcgi`; an empty object if there are none.
 * @example
 * ```js
 * import { createServer } from 'node:http'
 * import { createAuthorizer, variablesOfRequest } from '@fastcgi/gateway'
 *
 * const guard = createAuthorizer({
 *   upstream: 'unix:/run/php/php-fpm.sock',
 *   root: '/var/www/site',
 *   script: '/authorize.php',
 * })
 * createServer((req, res) =>
 *   guard.handler(req, res, () => res.end(variablesOfRequest(req).variables.USER)),
 * )
 * ```
 */
export function variablesOfRequest(req: IncomingMessage): RequestVariables {
  const variables = variablesByRequest.get(req)
  return variables === undefined ? NONE : { variables: variables.values }
}

/** Fields that determine how the request is read and routed; without them it would be another request. */
const UNSTRIPPABLE: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Whether a field may be removed from a request. @param field in lower case. */
export function isStrippable(field: string): boolean {
  return !UNSTRIPPABLE.has(field) && !field.startsWith(':')
}

/** Removes a header field from a request, so that no later handler sees it. @param field in lower case. */
export function stripHeader(req: IncomingMessage, field: string): void {
  if (!(field in req.headers) || !isStrippable(field)) return
  delete req.headers[field]
  // Before rawHeaders is changed: node:http builds headersDistinct from it on first access (node:http2 has none).
  delete req.headersDistinct?.[field]
  const { rawHeaders } = req
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2)
    if (rawHeaders[at]?.toLowerCase() === field) rawHeaders.splice(at, 2)
}
