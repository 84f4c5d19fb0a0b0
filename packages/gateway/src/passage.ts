import type { Env } from './environment.ts'
import type { InternalRun } from './files/accel-redirect.ts'
import type { GatewayRequest } from './gateway.ts'
import type { RequestTarget } from './request-target.ts'
import type { GatewayCallback } from './responder.ts'

/** One request on its way through the gateway. */
export interface Passage<Source> {
  readonly request: GatewayRequest<Source>
  readonly target: RequestTarget
  /** Decoded mount point, '' for none. */
  readonly mount: string
  /** Decoded path below it. */
  readonly path: string
  readonly done: GatewayCallback
  /** Paths by which applications sent it on, its own first. */
  readonly chain?: readonly string[]
}

/** The same request on another path, as an application wants it: a GET without a body (nginx). */
export function insidePassage<Source>(
  passage: Passage<Source>,
  { path, query }: InternalRun<Source>,
  chain: readonly string[],
  done: GatewayCallback,
): Passage<Source> {
  const { request, target } = passage
  const REQUEST_METHOD = request.req.method === 'HEAD' ? 'HEAD' : 'GET'
  const ofBody = { CONTENT_TYPE: null, HTTP_CONTENT_ENCODING: null }
  const env = { ...request.env, ...ofBody, REQUEST_METHOD }
  const inner = { request: { ...request, env }, target: { ...target, path, query } }
  return { ...inner, mount: '', path, done, chain }
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
  const path = rawPath(passage)
  // Two slashes at the start would name another host.
  const location = `${path.replace(/^\/+/, '/')}/${passage.target.uri.slice(path.length)}`
  const { method } = passage.request.req
  passage.done(undefined, {
    status: method === 'GET' || method === 'HEAD' ? 301 : 308,
    reason: '',
    headers: ['Location', location, 'Content-Length', '0'],
    body: null,
  })
}
