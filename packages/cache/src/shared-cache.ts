// A shared HTTP cache (RFC 9111): looks up, coalesces, refreshes, invalidates and purges.

import { answerOf, hitOf, keyOf } from './answers.ts'
import { Arrivals, type FlightPlan } from './arrivals.ts'
import { forwardedStatus, hitStatus } from './cache-status.ts'
import { Flight } from './coalescing/flight.ts'
import { Flights } from './coalescing/flights.ts'
import type { AnswerCallback, CacheAnswer, CacheRequest, Fetch, Waiting } from './exchange.ts'
import { type FlatFields, type RequestFields, valuesOf } from './fields.ts'
import type { Report, SharedCacheOptions } from './options.ts'
import type { Directives } from './policy/directives.ts'
import { decideReuse, requestDirectives } from './policy/reusing.ts'
import { validatingFields, withoutConditions } from './policy/revalidation.ts'
import type { StoringRules } from './policy/rules.ts'
import { type PurgeSelector, purgeStore } from './purge.ts'
import { type CacheStats, noStats } from './stats.ts'
import { ContainedStore } from './stores/contained-store.ts'
import { MemoryCacheStore } from './stores/memory-store.ts'
import type { StoredResponse } from './stores/stored-response.ts'

const MAX_BODY_SIZE = 5_242_880
const STALE_IF_ERROR = 60_000
const LOCK_TIMEOUT = 5000
const STORE_TIMEOUT = 500
/** How often a request waits for the response to another one. */
const MAX_ATTEMPTS = 2

const NO_DIRECTIVES: Directives = {}

export class SharedCache {
  /** How often each has happened. */
  readonly stats: CacheStats = noStats()
  readonly #store: ContainedStore
  readonly #memory: MemoryCacheStore | undefined
  readonly #flights = new Flights()
  readonly #rules: StoringRules
  readonly #arrivals: Arrivals
  readonly #lock: boolean
  readonly #lockTimeout: number
  readonly #obeysRequests: boolean

  /** @param report told of failures of the store, at most once a minute. */
  constructor(options: SharedCacheOptions = {}, report: Report = () => {}) {
    const { store = new MemoryCacheStore(), maxBodySize = MAX_BODY_SIZE, minUses = 1 } = options
    const {
      staleWhileRevalidate = 0,
      staleIfError = STALE_IF_ERROR,
      ignore = [],
      valid = {},
    } = options
    const timeout = options.storeTimeout ?? STORE_TIMEOUT
    this.#store = new ContainedStore(store, { timeout, maxBodySize, report })
    this.#memory = store instanceof MemoryCacheStore ? store : undefined
    this.#memory?.join()
    this.#lock = options.lock ?? true
    this.#lockTimeout = options.lockTimeout ?? LOCK_TIMEOUT
    this.#obeysRequests = options.requestDirectives ?? true
    const heuristic = options.heuristic ?? true
    const stale = { staleWhileRevalidate, staleIfError }
    this.#rules = { valid, heuristic, ignore: new Set(ignore), ...stale }
    this.#arrivals = new Arrivals({
      store: this.#store,
      flights: this.#flights,
      rules: this.#rules,
      stats: this.stats,
      maxBodySize,
      minUses,
      answer: (waiting, error, answer) => settle(waiting, error, answer),
      restart: (waiting) => this.#lookUp(waiting),
    })
  }

  /** Number of URLs with a stored response, and bytes in use; undefined if the store does not say. */
  get usage(): { entries: number; bytes: number } | undefined {
    return this.#memory && { entries: this.#memory.count, bytes: this.#memory.size }
  }

  /** Whether the store is in memory and has only what this cache has stored. */
  get ownsStore(): boolean {
    return this.#memory?.isShared === false
  }

  /** A fresh response for a request, if there is one in memory; it is the fast path of {@link handle}. */
  fresh(request: Pick<CacheRequest, 'origin' | 'path' | 'headers'>): CacheAnswer | undefined {
    const result = this.#memory && this.#inMemory(request)
    if (result === undefined) return undefined
    const now = Date.now()
    const directives = this.#directivesOf(request.headers)
    if (decideReuse(result, directives, this.#rules, now) !== 'fresh') return undefined
    this.stats.hits++
    return hitOf(result, now)
  }

  #inMemory(
    request: Pick<CacheRequest, 'origin' | 'path' | 'headers'>,
  ): StoredResponse | undefined {
    let found: StoredResponse | undefined
    this.#store.get(keyOf(request), (stored) => {
      found = stored
    })
    return found
  }

  /**
   * Answers a GET or HEAD from the cache or, by `fetch`, from the application.
   * @returns the request, for {@link leave}.
   */
  handle(request: CacheRequest, fetch: Fetch, answer: AnswerCallback): Waiting {
    const waiting: Waiting = {
      request,
      fetch,
      answer,
      attempt: 0,
      isOver: false,
      timer: undefined,
      flight: undefined,
    }
    this.#lookUp(waiting)
    return waiting
  }

  /** The client of a request has gone before it was answered. */
  leave(waiting: Waiting): void {
    if (waiting.isOver) return
    waiting.isOver = true
    clearTimeout(waiting.timer)
    this.#leaveFlight(waiting)
  }

  /**
   * Invalidates what the response to an unsafe request has changed: its URL, and those of Location and Content-Location on the
   * same origin (RFC 9111 §4.4).
   */
  invalidateAfter(request: CacheRequest, status: number, fields: FlatFields): void {
    if (status < 200 || status >= 400) return
    const { origin, path } = request
    const named = ['location', 'content-location'].flatMap((name) => valuesOf(fields, name))
    const paths = new Set([path, ...named.flatMap((url) => pathOn(origin, path, url))])
    for (const changed of paths) this.#remove(origin, changed)
  }

  /**
   * Removes stored responses.
   * @throws Error if the store cannot do it, and what the store throws.
   */
  async purge(selector: PurgeSelector): Promise<void> {
    this.stats.invalidated++
    await purgeStore(this.#store, this.#flights, selector)
  }

  #remove(origin: string, path: string): void {
    this.stats.invalidated++
    this.#flights.invalidateUrl({ origin, path })
    this.#store.delete({ origin, path, method: 'GET' }).catch(ignore)
  }

  // ---- looking up

  #lookUp(waiting: Waiting): void {
    waiting.flight = undefined
    this.#store.get(keyOf(waiting.request), (stored) => {
      if (!waiting.isOver) this.#decide(waiting, stored)
    })
  }

  #decide(waiting: Waiting, stored: StoredResponse | undefined): void {
    const now = Date.now()
    const directives = this.#directivesOf(waiting.request.headers)
    const reuse = stored && decideReuse(stored, directives, this.#rules, now)
    if (stored !== undefined && reuse !== 'validate') {
      const isUpdating = reuse === 'updating'
      this.stats[isUpdating ? 'updating' : 'hits']++
      const detail = isUpdating ? 'updating' : undefined
      settle(waiting, undefined, answerOf(stored, hitStatus(stored.staleAt - now, detail), now))
      if (isUpdating) this.#refresh(waiting, stored)
    } else if (directives['only-if-cached']) settle(waiting, undefined, notCached())
    else this.#ask(waiting, stored, directives['no-cache'] !== undefined)
  }

  #directivesOf(headers: RequestFields): Directives {
    return this.#obeysRequests ? requestDirectives(headers) : NO_DIRECTIVES
  }

  // ---- asking the application

  #ask(waiting: Waiting, stored: StoredResponse | undefined, isForced: boolean): void {
    const { request } = waiting
    const isAlone =
      !this.#lock ||
      request.method !== 'GET' ||
      waiting.attempt >= MAX_ATTEMPTS ||
      (stored === undefined && request.headers.range !== undefined) ||
      this.#flights.isUnshareable(request) ||
      (isPersonal(request) && !this.#flights.isKnown(request))
    const flight = isAlone || isForced ? undefined : this.#flights.find(request)
    if (flight !== undefined) this.#join(waiting, flight)
    else this.#launch(waiting, stored, isAlone)
  }

  #join(waiting: Waiting, flight: Flight): void {
    this.stats.coalesced++
    if (flight.arrival !== undefined) {
      this.#arrivals.join(flight, waiting)
      return
    }
    waiting.flight = flight
    flight.waiting.add(waiting)
    if (this.#lockTimeout === 0) return
    waiting.timer = setTimeout(() => {
      this.#leaveFlight(waiting)
      waiting.attempt = MAX_ATTEMPTS
      this.#lookUp(waiting)
    }, this.#lockTimeout)
    waiting.timer.unref()
  }

  #leaveFlight(waiting: Waiting): void {
    const { flight } = waiting
    if (!(flight instanceof Flight)) return
    flight.leave(waiting)
    if (flight.isOver) this.#flights.remove(flight)
  }

  #launch(waiting: Waiting, stored: StoredResponse | undefined, isAlone: boolean): void {
    const { request, fetch } = waiting
    const validating =
      stored && request.method === 'GET'
        ? validatingFields(request.headers, stored.fields)
        : undefined
    // The application may be asked for what the client wants where its response is not likely to be stored.
    const isPlain = request.method === 'GET' && request.headers.range === undefined && !isAlone
    const fields = validating ?? (isPlain ? withoutConditions(request.headers) : request.headers)
    const why = request.method !== 'GET' ? 'method' : stored === undefined ? 'uri-miss' : 'stale'
    const plan: FlightPlan = {
      leader: waiting,
      why,
      isWhole: validating !== undefined || isPlain || request.headers.range !== undefined,
    }
    const flight = this.#flightFor(request, stored, validating !== undefined)
    flight.waiting.add(waiting)
    waiting.flight = flight
    if (!isAlone) this.#flights.add(flight)
    this.#run(flight, plan, fetch, fields)
  }

  /** Fetches a new response in the background, unless that is already happening. */
  #refresh({ request, fetch }: Waiting, stored: StoredResponse): void {
    if (this.#flights.find(request) !== undefined) return
    const asGet = { ...request, method: 'GET' }
    const validating = validatingFields(request.headers, stored.fields)
    const { range: _, ...fields } = withoutConditions(request.headers)
    const flight = this.#flightFor(asGet, stored, validating !== undefined)
    this.#flights.add(flight)
    const plan: FlightPlan = { leader: undefined, why: 'stale', isWhole: true }
    this.#run(flight, plan, fetch, validating ?? fields)
  }

  #flightFor(
    request: CacheRequest,
    stored: StoredResponse | undefined,
    validates: boolean,
  ): Flight {
    return new Flight(request, stored, validates, this.#flights.selectionOf(request))
  }

  #run(flight: Flight, plan: FlightPlan, fetch: Fetch, fields: RequestFields): void {
    flight.running = fetch(fields, (error, response) =>
      this.#arrivals.arrived(flight, plan, error, response),
    )
  }
}

/** Whether its response is shared only if it says so, which is not likely: others are not worth waiting for. */
function isPersonal({ isRestricted, headers }: CacheRequest): boolean {
  return isRestricted || headers.authorization !== undefined
}

/** A failure of the store has been reported. */
function ignore(): void {}

function settle(waiting: Waiting, error: unknown, answer: CacheAnswer | undefined): void {
  clearTimeout(waiting.timer)
  if (waiting.isOver) {
    const body = answer?.body ?? null
    if (body !== null && !Buffer.isBuffer(body)) body.destroy()
    return
  }
  waiting.isOver = true
  waiting.answer(error, answer)
}

/** The answer to `only-if-cached` (RFC 9111 §5.2.1.7). */
function notCached(): CacheAnswer {
  const cacheStatus = forwardedStatus('request', { detail: 'only-if-cached' })
  const fields = ['Content-Length', '0', 'Cache-Status', cacheStatus]
  return { status: 504, reason: '', fields, body: null, isWhole: false }
}

/** The path of a URL that is on an origin. */
function pathOn(origin: string, base: string, url: string): string[] {
  if (!URL.canParse(url, origin + base)) return []
  const resolved = new URL(url, origin + base)
  return resolved.origin === origin ? [resolved.pathname + resolved.search] : []
}
