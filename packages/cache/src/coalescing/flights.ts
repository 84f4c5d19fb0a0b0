// All requests to the application that can be joined, by URL, and what is known of each URL.

import { LRUCache } from 'lru-cache'
import type { CacheRequest } from '../exchange.ts'
import { type Selection, selectionOf } from '../policy/vary.ts'
import type { Flight } from './flight.ts'

/** URLs of which something is remembered. */
const MAX_KNOWN = 10_000
/** Milliseconds for which requests do not wait for each other after a response that could not be shared. */
const UNSHAREABLE_TIME = 10_000

export class Flights {
  readonly #byUrl = new Map<string, Set<Flight>>()
  readonly #unshareable = new LRUCache<string, true>({ max: MAX_KNOWN, ttl: UNSHAREABLE_TIME })
  readonly #varyNames = new LRUCache<string, readonly string[]>({ max: MAX_KNOWN })
  readonly #uses = new LRUCache<string, number>({ max: MAX_KNOWN })

  /** A flight that a request may wait for. */
  find(request: CacheRequest): Flight | undefined {
    const flights = this.#byUrl.get(keyOf(request))
    if (flights === undefined) return undefined
    for (const flight of flights) if (flight.accepts(request)) return flight
    return undefined
  }

  add(flight: Flight): void {
    const key = keyOf(flight.request)
    const flights = this.#byUrl.get(key)
    if (flights === undefined) this.#byUrl.set(key, new Set([flight]))
    else flights.add(flight)
  }

  remove(flight: Flight): void {
    flight.isOver = true
    const key = keyOf(flight.request)
    const flights = this.#byUrl.get(key)
    if (flights?.delete(flight) && flights.size === 0) this.#byUrl.delete(key)
  }

  /** What is on its way is not stored any more. @param test all, without it. */
  invalidate(test: (request: { origin: string; path: string }) => boolean = () => true): void {
    for (const flights of this.#byUrl.values())
      for (const flight of flights) if (test(flight.request)) flight.isObsolete = true
  }

  /** The same for one URL. */
  invalidateUrl(url: { origin: string; path: string }): void {
    for (const flight of this.#byUrl.get(keyOf(url)) ?? []) flight.isObsolete = true
  }

  // ---- what is known of URLs

  /** The last response could not be shared: requests do not wait for each other for a while. */
  markUnshareable(request: CacheRequest): void {
    this.#unshareable.set(keyOf(request), true)
  }

  markShareable(request: CacheRequest, varyNames: readonly string[]): void {
    const key = keyOf(request)
    this.#unshareable.delete(key)
    this.#varyNames.set(key, varyNames)
  }

  isUnshareable(request: CacheRequest): boolean {
    return this.#unshareable.has(keyOf(request))
  }

  /** Whether a response to this URL could be shared. */
  isKnown(request: CacheRequest): boolean {
    return this.#varyNames.has(keyOf(request))
  }

  /** The values by which the last response to this URL was selected. */
  selectionOf(request: CacheRequest): Selection | undefined {
    const names = this.#varyNames.get(keyOf(request))
    return names && selectionOf(names, request.headers)
  }

  /** Counts a response to this URL; returns how many there have been. */
  countUse(request: CacheRequest): number {
    const key = keyOf(request)
    const uses = (this.#uses.get(key) ?? 0) + 1
    this.#uses.set(key, uses)
    return uses
  }
}

function keyOf({ origin, path }: { origin: string; path: string }): string {
  return `${origin} ${path}`
}
