import type { Dispatcher } from '../../dispatcher.ts'
import { Figures, type FiguresListener, type LastError } from '../../exchange/figures.ts'
import type { Histogram } from '../../exchange/histogram.ts'
import { givenTimeouts, type PoolOptions } from '../../options.ts'
import { Pool } from '../../pool/pool.ts'
import type { MemberOptions, MemberRole, MemberStatus } from '../options.ts'
import { Health } from './health.ts'

/** Counters of a member since the start. The first five have the meaning they have in lighttpd's mod_status. */
export interface MemberCounters {
  /** Requests sent to the member; those that found no connection are not among them. */
  connected: number
  /** Requests that are active now. */
  load: number
  /** Attempts that failed because it was unreachable or closed the connection. */
  died: number
  /** How many times it has become unavailable because of failures or health checks. */
  disabled: number
  /** Attempts that failed with an OverloadedError. */
  overloaded: number
  /** Bytes of params, bodies (of known length) and filter data sent to it. */
  bytesSent: number
  /** Bytes of response bodies received from it. */
  bytesReceived: number
}

/** One member of a balancer: its dispatcher, options, counters and health. Created by {@link Balancer.add}. */
export class Member {
  /** Unique name within the balancer. */
  readonly name: string
  /** Sends its requests: a {@link Pool}, or the dispatcher that was given. */
  readonly dispatcher: Dispatcher
  /** Whether failures have made it unavailable. */
  readonly health: Health = new Health()
  /** Counters since the start. */
  readonly counters: MemberCounters = {
    connected: 0,
    load: 0,
    died: 0,
    disabled: 0,
    overloaded: 0,
    bytesSent: 0,
    bytesReceived: 0,
  }
  /** Latency, responses and failures. Where the dispatcher is a pool of its own, those of the pool. */
  readonly figures: Figures
  // Current values of the options, see MemberOptions; changed by Balancer.update().
  weight: number
  lbset: number
  route: string | undefined
  redirect: string | undefined
  status: MemberStatus
  role: MemberRole
  ignoreErrors: boolean
  retry: number | undefined
  slowStart: number
  /** Maximum number of active requests; Infinity for no limit. */
  readonly maxLoad: number
  /** The last failure, for status pages. */
  lastError: LastError | undefined
  /** Since when failures or health checks have made it unavailable; undefined if it is available. */
  outSince: Date | undefined
  /** Told what happens to it, where no pool is. */
  onEvent: FiguresListener | undefined
  /** Called once when its last request has ended, after {@link Balancer.drain}. */
  onDrained: (() => void) | undefined
  /** Whether the balancer has to feed `figures`, because no pool does. */
  readonly observes: boolean
  /** performance.now() when it was added or has recovered; `slowStart` begins then. */
  #since: number
  readonly #owned: boolean
  #onIdle: Array<() => void> = []

  constructor(options: MemberOptions, defaults: PoolOptions & { slowStart: number }, now: number) {
    const { address, name, weight, lbset, route, redirect, status, role, ignoreErrors } = options
    const { retry, slowStart, maxLoad, ...pool } = options
    this.#owned = typeof address === 'string'
    this.dispatcher =
      typeof address === 'string' ? new Pool(address, memberPool(defaults, pool)) : address
    const pooled = this.dispatcher instanceof Pool ? this.dispatcher : undefined
    this.name = name ?? pooled?.address.name ?? 'member'
    this.observes = !this.#owned || pooled === undefined
    this.figures =
      this.observes || pooled === undefined
        ? new Figures((event) => this.onEvent?.(event))
        : pooled.figures
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

  /** Histogram of the time from sending a request to the response head. */
  get headTimes(): Histogram {
    return this.figures.headTimes
  }

  /** Histogram of the time from the arrival of a request at the member to the end of its response. */
  get totalTimes(): Histogram {
    return this.figures.totalTimes
  }

  /** Its current share: the weight, or less during `slowStart`. */
  share(now: number): number {
    const age = now - this.#since
    return age >= this.slowStart ? this.weight : this.weight * Math.max(0.01, age / this.slowStart)
  }

  /** Restarts `slowStart`, because the member has recovered. */
  recovered(now: number): void {
    this.#since = now
  }

  /** Whether it may receive a request that does not belong to one of its sessions. */
  takesNew(now: number): boolean {
    return this.status === 'enabled' && !this.full && this.#healthy(now)
  }

  /** Whether it may receive a request of one of its sessions. */
  takesSession(now: number): boolean {
    const takes = this.status === 'enabled' || this.status === 'draining'
    return takes && !this.full && this.#healthy(now)
  }

  /** Whether it has reached `maxLoad`. */
  get full(): boolean {
    return this.counters.load >= this.maxLoad
  }

  /** Its status, and for an enabled member its health. `recovering`: the next request is a probe. */
  state(now: number): 'ok' | 'draining' | 'disabled' | 'stopped' | 'failed' | 'recovering' {
    if (this.status !== 'enabled') return this.status
    if (!this.health.failed || this.ignoreErrors) return 'ok'
    return this.health.usable(now) ? 'recovering' : 'failed'
  }

  /** Called when a request on this member has ended. */
  left(): void {
    this.counters.load--
    if (this.counters.load > 0) return
    for (const resolve of this.#onIdle.splice(0)) resolve()
    this.onDrained?.()
  }

  /** Closes its pool (not a dispatcher that was given) and resolves when its active requests have ended. */
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

/** Merges the pool options of a member with those of the balancer; the member's take precedence. */
function memberPool(defaults: PoolOptions, own: PoolOptions & Partial<MemberOptions>): PoolOptions {
  const { address, name, weight, lbset, route, redirect, status, role, ignoreErrors, ...pool } = own
  const { slowStart, ...base } = defaults as PoolOptions & { slowStart?: number }
  const timeouts = { ...givenTimeouts(base.timeouts), ...givenTimeouts(pool.timeouts) }
  return { ...base, ...given(pool), timeouts }
}

/** Returns the options that are not undefined. */
function given<T extends object>(options: T): Partial<T> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as Partial<T>
}
