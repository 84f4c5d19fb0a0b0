import type { Dispatcher } from '../../dispatcher.ts'
import type { PoolOptions } from '../../options.ts'
import { Pool } from '../../pool/pool.ts'
import type { MemberOptions, MemberRole, MemberStatus } from '../options.ts'
import { Health } from './health.ts'
import { Histogram } from './histogram.ts'

/** Counters of a member; the first five mean what they mean in lighttpd's statistics. */
export interface MemberCounters {
  /** Requests assigned. */
  connected: number
  /** Requests under way. */
  load: number
  /** Connections that could not be made, or died. */
  died: number
  /** Times it was taken out. */
  disabled: number
  /** Times it had no room. */
  overloaded: number
  /** Bytes of requests sent to it. */
  bytesSent: number
  /** Bytes of responses received from it. */
  bytesReceived: number
}

/** One member of a balancer: who carries its requests, what share it gets, how it fares. */
export class Member {
  readonly name: string
  readonly dispatcher: Dispatcher
  readonly health: Health = new Health()
  readonly counters: MemberCounters = {
    connected: 0,
    load: 0,
    died: 0,
    disabled: 0,
    overloaded: 0,
    bytesSent: 0,
    bytesReceived: 0,
  }
  /** Milliseconds from the start of an attempt to the response head. */
  readonly headTimes: Histogram = new Histogram()
  /** Milliseconds from the start of an attempt to the end of the response. */
  readonly totalTimes: Histogram = new Histogram()
  weight: number
  lbset: number
  route: string | undefined
  redirect: string | undefined
  status: MemberStatus
  role: MemberRole
  ignoreErrors: boolean
  retry: number | undefined
  slowStart: number
  /** Most requests at a time. */
  readonly maxLoad: number
  /** The last failure, for status pages. */
  lastError: { readonly message: string; readonly at: Date } | undefined
  /** When it came, or came back; its share grows from there. */
  #since: number
  readonly #owned: boolean
  #onIdle: Array<() => void> = []

  constructor(options: MemberOptions, defaults: PoolOptions & { slowStart: number }, now: number) {
    const { address, name, weight, lbset, route, redirect, status, role, ignoreErrors } = options
    const { retry, slowStart, maxLoad, ...pool } = options
    this.#owned = typeof address === 'string'
    this.dispatcher =
      typeof address === 'string' ? new Pool(address, memberPool(defaults, pool)) : address
    this.name = name ?? (this.dispatcher instanceof Pool ? this.dispatcher.address.name : 'member')
    this.weight = weight ?? 1
    this.lbset = lbset ?? 0
    this.route = route
    this.redirect = redirect
    this.status = status ?? 'enabled'
    this.role = role ?? 'active'
    this.ignoreErrors = ignoreErrors ?? false
    this.retry = retry
    this.slowStart = slowStart ?? defaults.slowStart
    this.maxLoad = maxLoad ?? Number.POSITIVE_INFINITY
    this.#since = now
  }

  /** Its share now: the weight, less while it starts slowly. */
  share(now: number): number {
    const age = now - this.#since
    return age >= this.slowStart ? this.weight : this.weight * Math.max(0.01, age / this.slowStart)
  }

  /** It came back: its share grows anew. */
  recovered(now: number): void {
    this.#since = now
  }

  /** Whether it may be given a request that no session ties to it. */
  takesNew(now: number): boolean {
    return this.status === 'enabled' && !this.full && this.#healthy(now)
  }

  /** Whether it may be given a request of a session of its own. */
  takesSession(now: number): boolean {
    const takes = this.status === 'enabled' || this.status === 'draining'
    return takes && !this.full && this.#healthy(now)
  }

  /** Whether it has all that it is given at a time. */
  get full(): boolean {
    return this.counters.load >= this.maxLoad
  }

  /** How it fares, in a word. */
  state(now: number): 'ok' | 'draining' | 'disabled' | 'stopped' | 'failed' | 'recovering' {
    if (this.status !== 'enabled') return this.status
    if (!this.health.failed || this.ignoreErrors) return 'ok'
    return this.health.usable(now) ? 'recovering' : 'failed'
  }

  /** A request has left it. */
  left(): void {
    this.counters.load--
    if (this.counters.load === 0) for (const resolve of this.#onIdle.splice(0)) resolve()
  }

  /** Resolves when what runs on it has ended; closes it where it is the balancer's own. */
  async close(): Promise<void> {
    if (this.#owned) await this.dispatcher.close()
    if (this.counters.load > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve))
  }

  async destroy(error?: Error): Promise<void> {
    if (this.#owned) await this.dispatcher.destroy(error)
  }

  #healthy(now: number): boolean {
    return this.ignoreErrors || this.health.usable(now)
  }
}

/** Pool options of a member: its own before the balancer's. */
function memberPool(defaults: PoolOptions, own: PoolOptions & Partial<MemberOptions>): PoolOptions {
  const { address, name, weight, lbset, route, redirect, status, role, ignoreErrors, ...pool } = own
  const { slowStart, ...base } = defaults as PoolOptions & { slowStart?: number }
  const timeouts = { ...base.timeouts, ...given(pool.timeouts ?? {}) }
  return { ...base, ...given(pool), timeouts }
}

/** What is not undefined. */
function given<T extends object>(options: T): Partial<T> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as Partial<T>
}
