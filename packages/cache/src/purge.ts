// Removing stored responses on demand.

import type { Flights } from './coalescing/flights.ts'
import type { ContainedStore } from './stores/contained-store.ts'
import { MemoryCacheStore } from './stores/memory-store.ts'

/** Which responses are removed. A URL without an origin, such as `/news`, is that path on every host. */
export type PurgeSelector =
  /** The responses to one URL, its query included. */
  | { url: string }
  /** Those to all URLs that begin so. */
  | { prefix: string }
  /** Those with a tag. */
  | { tag: string }
  | { all: true }

/** The store cannot find the responses that are to be removed. */
export class PurgeError extends Error {
  readonly code = 'CACHE_PURGE'

  constructor(what: string) {
    super(
      `this cache store cannot purge by ${what}: it has no such method; a URL with its origin, such as https://example.org/a, always can be purged`,
    )
    this.name = 'PurgeError'
  }
}

interface Target {
  origin: string
  path: string
  tags?: readonly string[]
}

export async function purgeStore(
  contained: ContainedStore,
  flights: Flights,
  selector: PurgeSelector,
): Promise<void> {
  const { store } = contained
  if ('tag' in selector) {
    // The tags of what is on its way are not known yet.
    flights.invalidate()
    if (store.deleteTags === undefined) throw new PurgeError('tag')
    await contained.attempt('purge', () => store.deleteTags?.([selector.tag]))
    return
  }
  const test = testOf(selector)
  flights.invalidate(test)
  if (store instanceof MemoryCacheStore) {
    store.deleteWhere(test)
    return
  }
  const url = 'url' in selector ? splitUrl(selector.url) : undefined
  if (url?.origin === undefined) throw new PurgeError(Object.keys(selector).join())
  await contained.delete({ origin: url.origin, path: url.path, method: 'GET' })
}

function testOf(selector: Exclude<PurgeSelector, { tag: string }>): (target: Target) => boolean {
  if ('all' in selector) return () => true
  if ('url' in selector) {
    const { origin, path } = splitUrl(selector.url)
    return (target) => isOn(origin, target) && target.path.split('#', 1)[0] === path
  }
  const { origin, path } = splitUrl(selector.prefix)
  return (target) => isOn(origin, target) && target.path.startsWith(path)
}

function isOn(origin: string | undefined, target: Target): boolean {
  return origin === undefined || target.origin === origin
}

function splitUrl(url: string): { origin: string | undefined; path: string } {
  const match = /^([a-z][a-z0-9+.-]*:\/\/[^/?#]*)(.*)$/i.exec(url)
  if (match === null) return { origin: undefined, path: url }
  return { origin: match[1]?.toLowerCase(), path: match[2] || '/' }
}
