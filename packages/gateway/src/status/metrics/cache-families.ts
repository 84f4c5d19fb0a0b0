// Metrics of caches.

import type { CacheSnapshot } from '../snapshot.ts'
import { counter, type Family, gauge, type Value } from './family.ts'

/** What happened to requests, as counters of one metric; and what is stored. */
export function cacheFamilies(caches: readonly CacheSnapshot[]): Family[] {
  const events = caches.flatMap(({ name, stats }) =>
    Object.entries(stats).map(([event, count]): Value => [{ cache: name, event }, count]),
  )
  const known = caches.filter(({ bytes }) => bytes !== null)
  return [
    counter('fastcgi_cache_events_total', 'What the cache did with requests', events),
    gauge(
      'fastcgi_cache_entries',
      'URLs with a stored response',
      known.map(({ name, entries }): Value => [{ cache: name }, entries ?? 0]),
    ),
    gauge(
      'fastcgi_cache_bytes',
      'Bytes of stored responses',
      known.map(({ name, bytes }): Value => [{ cache: name }, bytes ?? 0]),
    ),
  ]
}
