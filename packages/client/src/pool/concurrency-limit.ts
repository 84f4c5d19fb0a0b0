// The limit on the connections of a pool, learned from the application's behaviour.

/** Upper bound of the limit with `'auto'`. */
export const AUTO_MAXIMUM = 64

/** Bounds in milliseconds of the interval between probes that do not succeed. */
const MIN_PROBE_INTERVAL = 25
const MAX_PROBE_INTERVAL = 1000

/** Options of a {@link ConcurrencyLimit}. */
export interface ConcurrencyLimitOptions {
  /** A fixed limit, or 'auto' to learn it between `least` and {@link AUTO_MAXIMUM}. */
  most: number | 'auto'
  /** Lower bound of a learned limit. */
  least: number
  /** Milliseconds; see PoolOptions.fairness. */
  fairness: number
}

/**
 * Estimates how many connections the application serves at the same time, limits the pool to that number, and decides
 * when a kept connection must be closed to free its worker.
 *
 * php-fpm and most other applications serve one connection per worker. A kept connection occupies its worker, and
 * connections beyond the number of workers wait in the kernel's listen backlog. The client cannot see that: connecting
 * succeeds. It infers the state from the responses:
 * - A connection that has answered once is *served*.
 * - The kernel delivers connections to accept() in order, so when one answers, all that were opened before it are
 *   served, too, however slow they are.
 * - All others are *waiting*. One that waits longer than `fairness` plus three times the usual time to answer is
 *   *starved*: every worker is occupied.
 *
 * When a connection is starved, the limit falls to the number of served connections, and the next connection that
 * completes a request is closed (a handover), so that its worker accepts the starved one. Without that, kept
 * connections would block new ones, also those of other processes, until `idleTimeout` or `maxAge`. While requests are
 * queued, probes open one connection more than the limit; the limit rises when a probe is answered.
 *
 * The class does no I/O and reads no clock: the pool reports events with their time in milliseconds.
 */
export class ConcurrencyLimit<Connection extends object> {
  #limit: number
  readonly #adaptive: boolean
  readonly #least: number
  readonly #fairness: number
  readonly #served = new Set<Connection>()
  readonly #waiting = new Map<Connection, number>()
  #answerTime: number | undefined
  // Expiry times of handovers: workers that were freed for starved connections which have not answered yet. No second
  // worker is freed for the same connection until then.
  #handovers: number[] = []
  #probes = new Set<Connection>()
  #probeBurst = 1
  #probeInterval = MIN_PROBE_INTERVAL
  #nextProbeAt = 0

  constructor(options: ConcurrencyLimitOptions) {
    this.#adaptive = options.most === 'auto'
    this.#limit = options.most === 'auto' ? AUTO_MAXIMUM : options.most
    this.#least = Math.min(options.least, this.#limit)
    this.#fairness = options.fairness
  }

  /** The current limit. */
  get value(): number {
    return this.#limit
  }

  /** Reports that a connection was opened for a request. Must be called in the order of connecting. */
  opened(connection: Connection, now: number): void {
    this.#waiting.set(connection, now)
  }

  /** Reports the first bytes of a response, `elapsed` milliseconds after its request was sent. */
  answered(connection: Connection, elapsed: number): void {
    const first = this.#waiting.has(connection)
    // The first answer on a connection includes its time in the backlog, so it must not raise the average.
    if (!first || this.#answerTime === undefined || elapsed < this.#answerTime)
      this.#answerTime =
        this.#answerTime === undefined
          ? elapsed
          : this.#answerTime + (elapsed - this.#answerTime) / 8
    if (!first) return
    for (const earlier of this.#waiting.keys()) {
      this.#waiting.delete(earlier)
      this.#served.add(earlier)
      if (earlier === connection) break
    }
    this.#handovers.shift()
    const probe = this.#probes.delete(connection)
    if (!this.#adaptive || this.#served.size <= this.#limit) return
    this.#limit = Math.min(AUTO_MAXIMUM, this.#served.size)
    if (probe) this.#probeSucceeded()
  }

  /** Reports that a connection was closed. */
  closed(connection: Connection): void {
    this.#served.delete(connection)
    this.#waiting.delete(connection)
    this.#probes.delete(connection)
  }

  /**
   * Whether a connection that has just completed a request must be closed, so that its worker accepts a starved one.
   * If a connection is starved, this lowers a learned limit to the number of connections that are served.
   */
  mustYield(now: number): boolean {
    const starved = this.#countStarved(now)
    if (starved === 0) return false
    this.#expireHandovers(now)
    if (this.#adaptive) {
      const real = this.#served.size + this.#handovers.length
      this.#limit = Math.min(this.#limit, Math.max(real, this.#least))
    }
    this.#probeFailed(now)
    if (starved <= this.#handovers.length) return false
    this.#handovers.push(now + 2 * this.#starvedAfter() + MIN_PROBE_INTERVAL)
    return true
  }

  /** Milliseconds until {@link mustYield} may become true; undefined when no connection is waiting. */
  starvesIn(now: number): number | undefined {
    this.#expireHandovers(now)
    let handed = this.#handovers.length
    for (const since of this.#waiting.values())
      if (handed-- === 0) return Math.max(1, since + this.#starvedAfter() - now + 1)
    return this.#waiting.size === 0 ? undefined : Math.max(1, (this.#handovers[0] ?? now) - now + 1)
  }

  /** Whether a probe, a connection beyond the limit, may be opened now for a queued request. */
  mayProbe(now: number): boolean {
    return (
      this.#adaptive &&
      this.#limit < AUTO_MAXIMUM &&
      now >= this.#nextProbeAt &&
      this.#probes.size < this.#probeBurst
    )
  }

  /** Milliseconds until the next probe; undefined when the limit is fixed or at its maximum. */
  nextProbeIn(now: number): number | undefined {
    if (!this.#adaptive || this.#limit >= AUTO_MAXIMUM) return undefined
    return Math.max(1, this.#nextProbeAt - now)
  }

  /** Reports that a connection was opened as a probe. */
  probing(connection: Connection, now: number): void {
    this.#probes.add(connection)
    if (this.#probes.size >= this.#probeBurst) this.#nextProbeAt = now + this.#probeInterval
  }

  #expireHandovers(now: number): void {
    while (this.#handovers.length > 0 && (this.#handovers[0] ?? 0) <= now) this.#handovers.shift()
  }

  #countStarved(now: number): number {
    const starvedAfter = this.#starvedAfter()
    let starved = 0
    for (const since of this.#waiting.values()) {
      if (now - since <= starvedAfter) break
      starved++
    }
    return starved
  }

  #starvedAfter(): number {
    return this.#fairness + 3 * (this.#answerTime ?? 0)
  }

  #probeSucceeded(): void {
    this.#probeInterval = MIN_PROBE_INTERVAL
    this.#probeBurst = Math.min(this.#probeBurst * 2, 16)
    this.#nextProbeAt = 0
  }

  #probeFailed(now: number): void {
    if (this.#probes.size === 0) return
    this.#probes.clear()
    this.#probeBurst = 1
    this.#probeInterval = Math.min(this.#probeInterval * 2, MAX_PROBE_INTERVAL)
    this.#nextProbeAt = now + this.#probeInterval
  }
}
