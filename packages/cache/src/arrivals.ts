// What happens when the application has answered: who gets the response, and whether it is stored.

import { answerOf, drop, keyOf, originAnswer, storedValue, tagsFor } from './answers.ts'
import { type Forwarded, forwardedStatus, hitStatus } from './cache-status.ts'
import type { CacheValue } from './cache-store.ts'
import type { Flight } from './coalescing/flight.ts'
import type { Flights } from './coalescing/flights.ts'
import { SharedBody } from './coalescing/shared-body.ts'
import type { CacheAnswer, OriginResponse, Waiting } from './exchange.ts'
import { filterFields, soleValue, toRecord } from './fields.ts'
import { mayReplaceError } from './policy/reusing.ts'
import { updatedFields } from './policy/revalidation.ts'
import type { StoringRules } from './policy/rules.ts'
import { decideStoring, type Storage, storedFields } from './policy/storing.ts'
import { selects } from './policy/vary.ts'
import type { CacheStats } from './stats.ts'
import type { ContainedStore } from './stores/contained-store.ts'
import { type StoredResponse, storedResponse } from './stores/stored-response.ts'

/** What an arrival needs of the cache. */
export interface ArrivalContext {
  readonly store: ContainedStore
  readonly flights: Flights
  readonly rules: StoringRules
  readonly stats: CacheStats
  readonly maxBodySize: number
  readonly minUses: number
  /** Answers a request; does nothing if its client has gone. */
  answer(waiting: Waiting, error: unknown, answer: CacheAnswer | undefined): void
  /** Has a request look again. */
  restart(waiting: Waiting): void
}

/** How the request of a flight differs from that of its client. */
export interface FlightPlan {
  /** The request that is answered with the response itself; undefined for a refresh in the background. */
  readonly leader: Waiting | undefined
  readonly why: Forwarded
  /** Whether the conditions of the client were left out, so that the response may be more than it wants. */
  readonly isWhole: boolean
}

/** Why a response is not stored that others might share: one client must not keep the others from waiting for each other. */
const BY_REQUEST = new Set([
  'method',
  'range',
  'request-no-store',
  'authorization',
  'guarded',
  'cookie',
])

export class Arrivals {
  readonly #context: ArrivalContext

  constructor(context: ArrivalContext) {
    this.#context = context
  }

  /** The application has answered, or failed. */
  arrived(
    flight: Flight,
    plan: FlightPlan,
    error: unknown,
    response: OriginResponse | undefined,
  ): void {
    if (flight.isOver) drop(response)
    else if (response === undefined) this.#failed(flight, plan, error)
    else if (response.status === 304 && flight.isValidating) this.#validated(flight, plan, response)
    else if (response.status >= 500 && this.#useStale(flight, `status-${response.status}`))
      drop(response)
    else this.#replaced(flight, plan, response)
  }

  // ---- failures

  #failed(flight: Flight, { leader }: FlightPlan, error: unknown): void {
    // An error page that takes the place of a 404, for instance, is no failure.
    const { status = 500 } = (error ?? {}) as { status?: number }
    if (status >= 500 && this.#useStale(flight, 'error')) return
    this.#context.flights.remove(flight)
    if (leader !== undefined && flight.waiting.delete(leader))
      this.#context.answer(leader, error, undefined)
    this.#restartAll(flight)
  }

  /** Answers with the stale response in place of an error, if that is allowed. */
  #useStale(flight: Flight, detail: string): boolean {
    const { stale } = flight
    const { rules, stats, flights } = this.#context
    const now = Date.now()
    if (stale === undefined || !mayReplaceError(stale, rules, now)) return false
    flights.remove(flight)
    stats.stale += flight.waiting.size
    const answer = (): CacheAnswer => answerOf(stale, hitStatus(stale.staleAt - now, detail), now)
    for (const waiting of flight.waiting) this.#context.answer(waiting, undefined, answer())
    flight.waiting.clear()
    return true
  }

  #restartAll(flight: Flight): void {
    for (const waiting of flight.waiting) {
      flight.waiting.delete(waiting)
      waiting.attempt++
      this.#context.restart(waiting)
    }
  }

  // ---- 304

  #validated(flight: Flight, plan: FlightPlan, response: OriginResponse): void {
    drop(response)
    const { stale } = flight
    const { store, stats, rules } = this.#context
    const fields = stale && updatedFields(stale.fields, response.fields)
    if (stale === undefined || fields === undefined) {
      // It is about another version than ours.
      store.delete(keyOf(flight.request)).catch(() => {})
      this.#context.flights.remove(flight)
      this.#restartAll(flight)
      return
    }
    stats.revalidated++
    const { status, reason, body } = stale
    const { asked } = flight
    // Fields such as X-Accel-Expires are no part of what is stored.
    const received = updatedFields(stale.fields, response.received) ?? fields
    const update = { status, fields: received, asked, arrived: Date.now() }
    const decision = decideStoring(flight.request, update, rules)
    if (!decision.store) {
      store.delete(keyOf(flight.request)).catch(() => {})
      const { cachedAt, staleAt } = stale
      const value = { cachedAt, staleAt, deleteAt: staleAt, statusCode: status }
      const headers = toRecord(fields)
      const updated = storedResponse({ ...value, statusMessage: reason, headers }, body)
      this.#answerValidated(flight, plan, updated, false)
      return
    }
    const { storage } = decision
    const kept = storedFields(fields, storage.excluded)
    const tags = tagsFor(flight.request, { status, fields: received })
    const value = storedValue({ status, reason, fields: kept }, storage, tags)
    const updated = storedResponse({ ...value, body }, body)
    flight.arrival = { stored: updated, body: undefined, selection: storage.selection }
    // What is not stored is for the client that the application has answered.
    const own = filterFields(response.fields, (name) => name === 'set-cookie')
    this.#answerValidated(flight, plan, updated, true, own)
    this.#put(flight, value, body)
  }

  #answerValidated(
    flight: Flight,
    { leader, why }: FlightPlan,
    stored: StoredResponse,
    isStored: boolean,
    own: readonly string[] = [],
  ): void {
    if (!isStored) this.#context.flights.remove(flight)
    const now = Date.now()
    const cacheStatus = forwardedStatus(why, { status: 304, stored: isStored })
    for (const waiting of flight.waiting) {
      if (waiting !== leader && !isStored) continue
      if (waiting !== leader && !selects(stored.vary, waiting.request.headers)) continue
      flight.waiting.delete(waiting)
      const fields = waiting === leader ? own : []
      this.#context.answer(waiting, undefined, answerOf(stored, cacheStatus, now, fields))
    }
    this.#restartAll(flight)
  }

  // ---- a new response

  #replaced(flight: Flight, plan: FlightPlan, response: OriginResponse): void {
    const { request, stale } = flight
    const { status, received } = response
    const { stats, store, flights } = this.#context
    if (plan.leader !== undefined) stats[stale === undefined ? 'misses' : 'expired']++
    const storage = this.#storageFor(flight, response)
    if (typeof storage === 'string') {
      // What is newer than the stored response and cannot take its place shows that it is out of date.
      if (stale !== undefined && status < 500 && request.method === 'GET')
        store.delete(keyOf(request)).catch(() => {})
      if (!BY_REQUEST.has(storage)) flights.markUnshareable(request)
      this.#answerAlone(flight, plan, response, storage)
      return
    }
    const tags = tagsFor(request, { status, fields: received })
    const { reason } = response
    const fields = storedFields(response.fields, storage.excluded)
    const value = storedValue({ status, reason, fields }, storage, tags)
    flights.markShareable(request, Object.keys(storage.selection ?? {}))
    const isKept = flights.countUse(request) >= this.#context.minUses
    this.#share(flight, plan, response, { storage, value, isKept })
  }

  /** What to store; or why not. */
  #storageFor(flight: Flight, response: OriginResponse): Storage | string {
    const { request, asked } = flight
    const { status, received, body } = response
    if (request.method !== 'GET') return 'method'
    if (response.isShareable === false) return 'not-shareable'
    if (request.headers.range !== undefined && status !== 200) return 'range'
    const length = Buffer.isBuffer(body)
      ? body.length
      : Number(soleValue(response.fields, 'content-length') ?? 0)
    if (length > this.#context.maxBodySize) return 'too-long'
    const decision = decideStoring(
      request,
      { status, fields: received, asked, arrived: Date.now() },
      this.#context.rules,
    )
    if (!decision.store) return decision.because
    return request.refuses?.({ status, fields: received }) ? 'refused' : decision.storage
  }

  /** The response is for the client alone that it was made for; the others ask themselves. */
  #answerAlone(flight: Flight, plan: FlightPlan, response: OriginResponse, detail: string): void {
    const { leader, why, isWhole } = plan
    this.#context.flights.remove(flight)
    if (leader !== undefined && flight.waiting.delete(leader)) {
      const cacheStatus = forwardedStatus(why, { status: response.status, detail })
      this.#context.answer(leader, undefined, originAnswer(response, cacheStatus, isWhole))
    } else drop(response)
    this.#restartAll(flight)
  }

  #share(
    flight: Flight,
    plan: FlightPlan,
    response: OriginResponse,
    { storage, value, isKept }: { storage: Storage; value: CacheValue; isKept: boolean },
  ): void {
    const { selection } = storage
    const { body } = response
    const finish = (whole: Buffer | undefined): void => {
      if (whole === undefined) {
        this.#context.flights.remove(flight)
        return
      }
      flight.arrival = {
        stored: storedResponse({ ...value, body: whole }, whole),
        body: undefined,
        selection,
      }
      if (isKept) this.#put(flight, value, whole)
      else this.#context.flights.remove(flight)
    }
    if (body === null || Buffer.isBuffer(body)) {
      const whole = body ?? Buffer.alloc(0)
      flight.arrival = {
        stored: storedResponse({ ...value, body: whole }, whole),
        body: undefined,
        selection,
      }
      this.#answerArrival(flight, plan, response, body, isKept)
      finish(whole)
    } else {
      const shared = new SharedBody(body, this.#context.maxBodySize, {
        onWhole: finish,
        onBroken: () => this.#context.flights.remove(flight),
      })
      flight.arrival = { stored: storedResponse(value, undefined), body: shared, selection }
      this.#answerArrival(flight, plan, response, undefined, isKept)
    }
  }

  /** @param body of the leader; undefined for a stream of what is shared. */
  #answerArrival(
    flight: Flight,
    { leader, why, isWhole }: FlightPlan,
    response: OriginResponse,
    body: Buffer | null | undefined,
    stored: boolean,
  ): void {
    const { arrival } = flight
    if (arrival === undefined) return
    for (const waiting of flight.waiting) {
      if (waiting === leader) {
        flight.waiting.delete(waiting)
        const cacheStatus = forwardedStatus(why, { status: response.status, stored })
        const own = {
          ...response,
          body: body === undefined ? (arrival.body?.reader() ?? null) : body,
        }
        this.#context.answer(waiting, undefined, originAnswer(own, cacheStatus, isWhole))
      } else if (selects(arrival.selection, waiting.request.headers)) {
        flight.waiting.delete(waiting)
        this.join(flight, waiting)
      }
    }
    this.#restartAll(flight)
  }

  /** Answers with what a flight has brought. */
  join(flight: Flight, waiting: Waiting): void {
    const { arrival } = flight
    if (arrival === undefined) return
    const cacheStatus = forwardedStatus('uri-miss', { collapsed: true })
    const answer = answerOf(arrival.stored, cacheStatus, Date.now())
    const { body } = arrival
    this.#context.answer(
      waiting,
      undefined,
      body === undefined ? answer : { ...answer, body: body.reader() },
    )
  }

  /** Stores a response. Until it is stored, others can still join the flight. */
  #put(flight: Flight, value: CacheValue, body: Buffer): void {
    const { store, flights, stats } = this.#context
    if (flight.isObsolete) {
      flights.remove(flight)
      return
    }
    store.put(keyOf(flight.request), value, body, (stored) => {
      if (stored) stats.stored++
      // It has been invalidated while it was being written.
      if (flight.isObsolete) store.delete(keyOf(flight.request)).catch(() => {})
      flights.remove(flight)
    })
  }
}
