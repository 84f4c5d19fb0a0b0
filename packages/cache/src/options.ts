// Options of a cache.

import type { CacheStore } from './cache-store.ts'
import type { IgnorableField, ValidTimes } from './policy/rules.ts'

/** Options of a shared cache. nginx's names are those of ngx_http_fastcgi_module. */
export interface SharedCacheOptions {
  /** Where responses are kept (`fastcgi_cache_path`). @default a MemoryCacheStore of 128 MiB */
  store?: CacheStore | undefined
  /**
   * Milliseconds for which responses are stored that say nothing of their freshness, by status: `{ 200: 60_000, any: 1000 }`
   * (`fastcgi_cache_valid`). @default none: only what the application allows is stored
   */
  valid?: ValidTimes | undefined
  /** A response is stored when its URL has been asked for so often (`fastcgi_cache_min_uses`). @default 1 */
  minUses?: number | undefined
  /**
   * Fields of responses that are not looked at (`fastcgi_ignore_headers`). With `'set-cookie'` the response is stored without
   * its cookies, which only the client gets that it was made for. @default none
   */
  ignore?: readonly IgnorableField[] | undefined
  /**
   * Estimate the freshness of a response that has a Last-Modified and no other freshness, as a tenth of the time since then, at
   * most a day (RFC 9111 §4.2.2). It is then used for requests without cookies only. @default true
   */
  heuristic?: boolean | undefined
  /**
   * Milliseconds for which a stale response is used while a new one is fetched, if it does not say itself
   * (`fastcgi_cache_use_stale updating` with `fastcgi_cache_background_update`). @default 0
   */
  staleWhileRevalidate?: number | undefined
  /**
   * Milliseconds for which a stale response is used when the application fails or answers with 5xx, if the response does not
   * say itself, or forbids it (`fastcgi_cache_use_stale error timeout http_500 http_503`). @default 60000
   */
  staleIfError?: number | undefined
  /** Bytes of the longest body that is stored. @default 5 MiB */
  maxBodySize?: number | undefined
  /**
   * Of clients that miss at once, one asks the application and the others get its response as it comes
   * (`fastcgi_cache_lock`). @default true
   */
  lock?: boolean | undefined
  /** Milliseconds that a client waits for another one's response before it asks itself (`fastcgi_cache_lock_timeout`). @default 5000 */
  lockTimeout?: number | undefined
  /** Milliseconds that the store may take; later answers are misses. @default 500 */
  storeTimeout?: number | undefined
  /** Obey Cache-Control of requests: `no-cache`, `max-age`, `no-store` and others (RFC 9111 §5.2.1). @default true */
  requestDirectives?: boolean | undefined
}

/** Told of failures of the store. */
export type Report = (message: string, error: unknown) => void
