import type { IncomingMessage } from 'node:http'
import { Variables } from './variables.ts'

/** What guards have said of a request, by the names that the applications gave; text as latin1, as in header fields. */
export interface RequestVariables {
  readonly variables: Readonly<Record<string, string>>
}

/** Kept where nothing of a request can be mistaken for it. */
const states = new WeakMap<IncomingMessage, Variables>()
const NONE: RequestVariables = { variables: Object.freeze(Object.create(null)) }

/** What guards have said of a request so far; undefined where nobody let it through. */
export function variablesFor(req: IncomingMessage): Variables | undefined {
  return states.get(req)
}

/** The same, to be added to; from then on it is also `req.fastcgi`. */
export function ensureVariables(req: IncomingMessage): Variables {
  let variables = states.get(req)
  if (variables === undefined) {
    variables = new Variables()
    states.set(req, variables)
    const value: RequestVariables = { variables: variables.values }
    Object.defineProperty(req, 'fastcgi', { value, configurable: true, enumerable: true })
  }
  return variables
}

/** What `request.fastcgi` is, also where no guard was asked. */
export function variablesOfRequest(req: IncomingMessage): RequestVariables {
  const variables = states.get(req)
  return variables === undefined ? NONE : { variables: variables.values }
}

/** Fields that say how the request is to be read, and where it goes: without them it would be another one. */
const NEEDED: ReadonlySet<string> = new Set([
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

/** Whether a field, named in lower case, may be taken off a request. */
export function isStrippable(field: string): boolean {
  return !NEEDED.has(field) && !field.startsWith(':')
}

/** Takes a header field off a request, so that nobody behind the guard sees it. */
export function stripHeader(req: IncomingMessage, field: string): void {
  if (!(field in req.headers) || !isStrippable(field)) return
  delete req.headers[field]
  // Before rawHeaders changes: node:http makes it of them at the first look (node:http2 has none).
  delete req.headersDistinct?.[field]
  const { rawHeaders } = req
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2)
    if (rawHeaders[at]?.toLowerCase() === field) rawHeaders.splice(at, 2)
}
