import type { Env } from './environment.ts'
import type { GatewayRequest } from './gateway.ts'
import { belowMount, parseTarget, type RequestTarget } from './request-target.ts'
import type { GatewayCallback } from './responder.ts'

/** One request on its way through the gateway. */
export interface Passage<Source> {
  readonly request: GatewayRequest<Source>
  /** Method it is run with: the request's, until an application sends it on. */
  readonly method: string
  readonly target: RequestTarget
  /** Decoded mount point, '' for none. */
  readonly mount: string
  /** Decoded path below it. */
  readonly path: string
  readonly done: GatewayCallback
  /** Paths by which applications sent it on, its own first. */
  readonly chain?: readonly string[]
}

/** Where an application sends a request on to. Text is latin1. */
export interface InsideTarget {
  readonly mount: string
  /** Below `mount`. */
  readonly path: string
  readonly query: string
  /** Name of the option that lets it, for messages. */
  readonly option: string
}

/** What a Location means below a mount point; undefined when it does not lead there, or is none that a client might send. */
export function localTarget(
  location: string,
  mount: string,
): Pick<InsideTarget, 'path' | 'query'> | undefined {
  try {
    const { path, query } = parseTarget(location)
    const below = belowMount(path, mount)
    return below === undefined ? undefined : { path: below, query }
  } catch {
    return undefined
  }
}

/** The same request on another path, as an application wants it: a GET without a body (nginx). */
export function insidePassage<Source>(
  passage: Passage<Source>,
  { mount, path, query }: InsideTarget,
  chain: readonly string[],
  done: GatewayCallback,
): Passage<Source> {
  const { request, target } = passage
  const method = request.req.method === 'HEAD' ? 'HEAD' : 'GET'
  const ofBody = { CONTENT_TYPE: null, HTTP_CONTENT_ENCODING: null }
  const env = { ...request.env, ...ofBody, REQUEST_METHOD: method }
  const inner = { request: { ...request, env }, target: { ...target, path, query } }
  return { ...inner, method, mount, path, done, chain }
}

export function mergeEnv(a: Env | undefined, b: Env | undefined): Env | undefined {
  return a === undefined || b === undefined ? (a ?? b) : { ...a, ...b }
}

/** The path as the client sent it. */
export function rawPath({ target: { uri } }: Passage<unknown>): string {
  const mark = uri.indexOf('?')
  return mark === -1 ? uri : uri.slice(0, mark)
}

/** To the same URL with a slash: relative links of a directory's index need it. */
export function redirect(passage: Passage<unknown>): void {
  const { chain, mount } = passage
  const path = chain === undefined ? rawPath(passage) : encodePath(mount + passage.path)
  // Two slashes at the start would name another host.
  const location = `${path.replace(/^\/+/, '/')}/${queryOf(passage)}`
  const { method } = passage
  passage.done(undefined, {
    status: method === 'GET' || method === 'HEAD' ? 301 : 308,
    reason: '',
    headers: ['Location', location, 'Content-Length', '0'],
    body: null,
  })
}

/** With its question mark, as it came. */
function queryOf({ chain, target: { uri, query } }: Passage<unknown>): string {
  if (chain !== undefined) return query === '' ? '' : `?${query}`
  const mark = uri.indexOf('?')
  return mark === -1 ? '' : uri.slice(mark)
}

function encodePath(path: string): string {
  return path.replace(
    /[^A-Za-z0-9/._~!$&'()*+,;=:@-]/g,
    (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
