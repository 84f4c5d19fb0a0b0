// Counters of a cache.

/** How often each has happened since the cache was made; the names are nginx's ($upstream_cache_status). */
export interface CacheStats {
  /** Answered from the store. */
  hits: number
  /** Nothing was stored; the application was asked. */
  misses: number
  /** A stale response was replaced by a new one. */
  expired: number
  /** A stale response was used because the application failed. */
  stale: number
  /** A stale response was used while a new one was fetched. */
  updating: number
  /** The application has said that a stale response is still good. */
  revalidated: number
  /** The request was none for the cache. */
  bypassed: number
  /** Requests that were answered with the response to another one on its way. */
  coalesced: number
  /** Responses that have been stored. */
  stored: number
  /** Responses that have been removed because an unsafe request had changed the resource, and purges. */
  invalidated: number
}

export function noStats(): CacheStats {
  return {
    hits: 0,
    misses: 0,
    expired: 0,
    stale: 0,
    updating: 0,
    revalidated: 0,
    bypassed: 0,
    coalesced: 0,
    stored: 0,
    invalidated: 0,
  }
}
