/**
 * A shared HTTP cache (RFC 9111, RFC 5861, RFC 9211, RFC 9213) without I/O of its own. `@fastcgi/gateway` puts it before
 * FastCGI applications.
 * @packageDocumentation
 */

export type { CacheKey, CacheResult, CacheStore, CacheValue } from './cache-store.ts'
export type {
  AnswerCallback,
  CacheAnswer,
  CacheRequest,
  Fetch,
  OriginCallback,
  OriginResponse,
  ResponseHead,
  Running,
  Waiting,
} from './exchange.ts'
export type { FlatFields, RequestFields } from './fields.ts'
export type { Report, SharedCacheOptions } from './options.ts'
export type { Directives } from './policy/directives.ts'
export { parseHttpDate } from './policy/http-date.ts'
export type { IgnorableField, PolicyRequest, ValidTimes } from './policy/rules.ts'
export { PurgeError, type PurgeSelector } from './purge.ts'
export { SharedCache } from './shared-cache.ts'
export type { CacheStats } from './stats.ts'
export {
  MemoryCacheStore,
  type MemoryCacheStoreOptions,
  type StoredTest,
} from './stores/memory-store.ts'
export { CACHE_TAGS_FIELD } from './tags.ts'
