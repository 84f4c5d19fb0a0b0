import type { Env, RequestTarget } from '../environment/request-facts.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import type { GatewayCallback } from '../response/gateway-response.ts'

/** One request on its way through the gateway. */
export interface RoutedRequest<Source> {
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

export function mergeEnv(a: Env | undefined, b: Env | undefined): Env | undefined {
  return a === undefined || b === undefined ? (a ?? b) : { ...a, ...b }
}

/** The path as the client sent it. */
export function rawPath({ target: { uri } }: RoutedRequest<unknown>): string {
  const mark = uri.indexOf('?')
  return mark === -1 ? uri : uri.slice(0, mark)
}

/** To the same URL with a slash: relative links of a directory's index need it. */
export function redirect(routed: RoutedRequest<unknown>): void {
  const { chain, mount } = routed
  const path = chain === undefined ? rawPath(routed) : encodePath(mount + routed.path)
  // Two slashes at the start would name another host.
  const location = `${path.replace(/^\/+/, '/')}/${queryOf(routed)}`
  const { method } = routed
  routed.done(undefined, {
    status: method === 'GET' || method === 'HEAD' ? 301 : 308,
    reason: '',
    headers: ['Location', location, 'Content-Length', '0'],
    body: null,
  })
}

/** With its question mark, as it came. */
function queryOf({ chain, target: { uri, query } }: RoutedRequest<unknown>): string {
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
