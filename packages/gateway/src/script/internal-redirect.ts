import { belowMount, parseTarget } from '../request/request-target.ts'
import type { GatewayCallback } from '../response/gateway-response.ts'
import type { RoutedRequest } from './routed-request.ts'

/** Where an application sends a request on to. Text is latin1. */
export interface InternalRedirect {
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
): Pick<InternalRedirect, 'path' | 'query'> | undefined {
  try {
    const { path, query } = parseTarget(location)
    const below = belowMount(path, mount)
    return below === undefined ? undefined : { path: below, query }
  } catch {
    return undefined
  }
}

/** The same request on another path, as an application wants it: a GET without a body (nginx). */
export function internalRequest<Source>(
  routed: RoutedRequest<Source>,
  { mount, path, query }: InternalRedirect,
  chain: readonly string[],
  done: GatewayCallback,
): RoutedRequest<Source> {
  const { request, target } = routed
  const method = request.req.method === 'HEAD' ? 'HEAD' : 'GET'
  const ofBody = { CONTENT_TYPE: null, HTTP_CONTENT_ENCODING: null }
  const env = { ...request.env, ...ofBody, REQUEST_METHOD: method }
  const inner = { request: { ...request, env }, target: { ...target, path, query } }
  return { ...inner, method, mount, path, done, chain }
}
