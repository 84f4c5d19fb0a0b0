// Internal redirects: the request that is run in place of another one (local redirect, X-Accel-Redirect).

import { belowMount, parseTarget } from '../request/request-target.ts'
import type { GatewayCallback } from '../response/gateway-response.ts'
import type { RoutedRequest } from './routed-request.ts'

/** The target of an internal redirect. Text is latin1. */
export interface InternalRedirect {
  readonly mount: string
  /** Path below `mount`. */
  readonly path: string
  readonly query: string
  /** Name of the option that allows it, for messages. */
  readonly option: string
}

/** Path and query of a Location; undefined if it leads out of the mount point or is not a valid request target. */
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

/**
 * The request for the target of an internal redirect: a GET without a body (as nginx), or HEAD if the client sent HEAD.
 */
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
  // Where the embedding code has named a script, it has not named what that script leads to.
  const inner = {
    request: { ...request, env, script: undefined },
    target: { ...target, path, query },
  }
  return { ...inner, logger: routed.logger, method, mount, path, done, chain }
}
