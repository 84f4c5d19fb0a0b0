// A request of a client, as the cache sees it.

import type { CacheRequest, ResponseHead } from '@fastcgi/cache'
import { OptionError } from '@fastcgi/client'
import { hostFieldOf } from '../environment/environment.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import type { RoutedRequest } from '../script/routed-request.ts'
import type { CacheOptions } from './options.ts'

/** What of a request says which response it asks for. */
export type Asked<Source> = Pick<RoutedRequest<Source>, 'request' | 'target' | 'method'>

/**
 * What a request is looked up by. Whatever else the application sees of it and chooses its response by must be named by Vary,
 * or the request is restricted.
 * @param isPersonal whether a guard has let it through, or params are added that depend on the request.
 */
export function cacheRequest<Source>(
  routed: RoutedRequest<Source>,
  options: CacheOptions<Source>,
  isPersonal: boolean,
): CacheRequest {
  const { request, method } = routed
  const { req } = request
  const { origin, path } = lookupOf(routed, options)
  return {
    method,
    origin,
    path,
    headers: req.headers,
    isRestricted: isPersonal || request.env !== undefined,
    refuses: options.noStore && ((head) => refuses(routed, options, head)),
    tags: options.tags && ((head) => tagsOf(routed, options, head)),
  }
}

/** The origin and path of a request. Parts that are no part of the URL follow after a `#`, which a URL here never has. */
export function lookupOf<Source>(
  { request, target }: Asked<Source>,
  { key }: CacheOptions<Source>,
): { origin: string; path: string } {
  if (key !== undefined) return { origin: '', path: keyText(key(request.source)) }
  const { client, req, rewrittenUrl, url, script } = request
  const host = hostFieldOf(req, target)
  const origin = originOf(client.scheme, client.host || host)
  let path = target.uri
  if (client.host !== '' && client.host !== host) path += `#host=${host}`
  if (rewrittenUrl !== undefined && rewrittenUrl !== url) path += `#url=${rewrittenUrl}`
  if (script !== undefined) path += `#script=${script}`
  return { origin, path }
}

// The last origin: most servers have only one name.
let lastOrigin = { scheme: '', host: '', origin: '' }

function originOf(scheme: string, host: string): string {
  if (lastOrigin.host !== host || lastOrigin.scheme !== scheme)
    lastOrigin = { scheme, host, origin: `${scheme}://${host.toLowerCase()}` }
  return lastOrigin.origin
}

function keyText(key: unknown): string {
  // Other values could become the same text: every promise would be one key.
  if (typeof key === 'string') return key
  throw new OptionError('option cache: the function key must return text')
}

function refuses<Source>(
  { request, logger }: RoutedRequest<Source>,
  { noStore }: CacheOptions<Source>,
  head: ResponseHead,
): boolean {
  try {
    // Anything but a clear no keeps the response out.
    return noStore?.(request.source, head) !== false
  } catch (err) {
    logger.error({ err }, `option cache: the function noStore threw: ${err}`)
    return true
  }
}

function tagsOf<Source>(
  { request, logger }: RoutedRequest<Source>,
  { tags }: CacheOptions<Source>,
  head: ResponseHead,
): readonly string[] {
  try {
    const given: unknown = tags?.(request.source, head)
    return Array.isArray(given) ? given.map(String) : []
  } catch (err) {
    logger.error({ err }, `option cache: the function tags threw: ${err}`)
    return []
  }
}

/** Whether a request can be answered from the cache: without a body, and by one of the methods. */
export function isCacheable<Source>(
  { method, request }: Asked<Source>,
  { methods = ['GET', 'HEAD'] }: CacheOptions<Source>,
): boolean {
  return (methods as readonly string[]).includes(method) && !hasBody(request)
}

function hasBody<Source>({ req }: GatewayRequest<Source>): boolean {
  const { 'content-length': length, 'transfer-encoding': coding } = req.headers
  return coding !== undefined || (length !== undefined && length !== '0')
}
