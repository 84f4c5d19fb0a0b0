// The method PURGE: removes the responses to a URL, or those with the tags that the request names.

import type { CacheRequest, PurgeSelector, SharedCache } from '@fastcgi/cache'
import type { GatewayResponse } from '../response/gateway-response.ts'
import type { RoutedRequest } from '../script/routed-request.ts'

/** Fields of a PURGE request that name tags, separated by spaces or commas. */
const TAG_FIELDS = ['surrogate-key', 'cache-tag', 'xkey']

export function purgeFor<Source>(
  routed: RoutedRequest<Source>,
  isAllowed: boolean,
  { origin, path, headers }: CacheRequest,
  cache: SharedCache,
): void {
  if (isAllowed !== true) {
    routed.done(undefined, text(403, 'This request may not purge (option cache: allowPurge).'))
    return
  }
  const named = TAG_FIELDS.flatMap((name) => String(headers[name] ?? '').split(/[\s,]+/))
  const tags = named.filter((tag) => tag !== '')
  const selectors: PurgeSelector[] =
    tags.length > 0 ? tags.map((tag) => ({ tag })) : [{ url: origin + path }]
  Promise.all(selectors.map((selector) => cache.purge(selector))).then(
    () => routed.done(undefined, text(200, 'Purged.')),
    (error) => {
      routed.logger.error({ err: error }, `PURGE failed: ${error}`)
      routed.done(undefined, text(500, 'The cache store could not purge.'))
    },
  )
}

function text(status: number, message: string): GatewayResponse {
  const body = Buffer.from(`${message}\n`)
  const headers = ['Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'no-store']
  return { status, reason: '', headers: [...headers, 'Content-Length', String(body.length)], body }
}
