/** Largest number of connections that `'auto'` goes up to. */
export const AUTO_MAXIMUM = 64

const FIRST_PROBE_PAUSE = 25
const LAST_PROBE_PAUSE = 1000

/** How a {@link ConcurrencyLimit} is set up. */
export interface ConcurrencyLimitOptions {
  /** A number fixes the limit; 'auto' learns it between `least` and {@link AUTO_MAXIMUM}. */
  most: number | 'auto'
  least: number
  /** Milliseconds, see PoolOptions.fairness. */
  fairness: number
}

/**
 * Learns how many connections of a pool are really served at once, and says when a kept one must give way.
 *
 * php-fpm and most others serve one connection per worker: a kept connection holds its worker, and what connects
 * beyond the workers waits in the socket's backlog, unseen. What can be seen is who answers:
 * - whoever has answered once is *served*;
 * - the kernel hands connections out in the order they came, so when one answers, all that connected before it have
 *   been taken too, however slow they are;
 * - the others *wait*. One that waits longer than served connections usually take to answer is starved.
 *
 * No I/O and no clock: the pool reports events, times are in milliseconds. `Seat` is the pool's connection.
 */
export class ConcurrencyLimit<Seat extends object> {
  #limit: number
  readonly #adaptive: boolean
  readonly #least: number
  readonly #fairness: number
  readonly #served = new Set<Seat>()
  readonly #waiting = new Map<Seat, number>()
  #answerTime: number | undefined
  // Workers freed for a starved connection that has not answered yet: freeing another one for it would be waste.
  #handovers: number[] = []
  #probes = new Set<Seat>()
  #probeBurst = 1
  #probePause = FIRST_PROBE_PAUSE
  #nextProbeAt = 0

  constructor(options: ConcurrencyLimitOptions) {
    this.#adaptive = options.most === 'auto'
    this.#limit = options.most === 'auto' ? AUTO_MAXIMUM : options.most
    this.#least = Math.min(options.least, this.#limit)
    this.#fairness = options.fairness
  }

  /** How many connections there should be at the most. */
  get value(): number {
    return this.#limit
  }

  /** A connection was made for a request, in this order. */
  opened(seat: Seat, now: number): void {
    this.#waiting.set(seat, now)
  }

  /** The first bytes of a response came, `elapsed` milliseconds after its request was sent. */
  answered(seat: Seat, elapsed: number): void {
    const first = this.#waiting.has(seat)
    if (!first || this.#answerTime === undefined || elapsed < this.#answerTime)
      this.#answerTime =
        this.#answerTime === undefined
          ? elapsed
          : this.#answerTime + (elapsed - this.#answerTime) / 8
    if (!first) return
    for (const earlier of this.#waiting.keys()) {
      this.#waiting.delete(earlier)
      this.#served.add(earlier)
      if (earlier === seat) break
    }
    this.#handovers.shift()
    const probe = this.#probes.delete(seat)
    if (!this.#adaptive || this.#served.size <= this.#limit) return
    this.#limit = Math.min(AUTO_MAXIMUM, this.#served.size)
    if (probe) this.#probeSucceeded()
  }

  /** The connection is gone. */
  closed(seat: Seat): void {
    this.#served.delete(seat)
    this.#waiting.delete(seat)
    this.#probes.delete(seat)
  }

  /**
   * Whether a connection that just completed is to be closed so that its worker takes a starved one. Learns the
   * limit on the way: it falls to the number of connections that are served.
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
    this.#handovers.push(now + 2 * this.#patience() + FIRST_PROBE_PAUSE)
    return true
  }

  /** Milliseconds until an idle connection may have to yield, or undefined when no connection waits. */
  starvesIn(now: number): number | undefined {
    this.#expireHandovers(now)
    let handed = this.#handovers.length
    for (const since of this.#waiting.values())
      if (handed-- === 0) return Math.max(1, since + this.#patience() - now + 1)
    return this.#waiting.size === 0 ? undefined : Math.max(1, (this.#handovers[0] ?? now) - now + 1)
  }

  /** Whether one more connection than the limit may be tried now, as requests are waiting. */
  mayProbe(now: number): boolean {
    return (
      this.#adaptive &&
      this.#limit < AUTO_MAXIMUM &&
      now >= this.#nextProbeAt &&
      this.#probes.size < this.#probeBurst
    )
  }

  /** Milliseconds until a probe may be tried, or undefined when there is nothing to learn. */
  nextProbeIn(now: number): number | undefined {
    if (!this.#adaptive || this.#limit >= AUTO_MAXIMUM) return undefined
    return Math.max(1, this.#nextProbeAt - now)
  }

  /** The connection was opened beyond the limit. */
  probing(seat: Seat, now: number): void {
    this.#probes.add(seat)
    if (this.#probes.size >= this.#probeBurst) this.#nextProbeAt = now + this.#probePause
  }

  #expireHandovers(now: number): void {
    while (this.#handovers.length > 0 && (this.#handovers[0] ?? 0) <= now) this.#handovers.shift()
  }

  #countStarved(now: number): number {
    const patience = this.#patience()
    let starved = 0
    for (const since of this.#waiting.values()) {
      if (now - since <= patience) break
      starved++
    }
    return starved
  }

  #patience(): number {
    return this.#fairness + 3 * (this.#answerTime ?? 0)
  }

  #probeSucceeded(): void {
    this.#probePause = FIRST_PROBE_PAUSE
    this.#probeBurst = Math.min(this.#probeBurst * 2, 16)
    this.#nextProbeAt = 0
  }

  #probeFailed(now: number): void {
    if (this.#probes.size === 0) return
    this.#probes.clear()
    this.#probeBurst = 1
    this.#probePause = Math.min(this.#probePause * 2, LAST_PROBE_PAUSE)
    this.#nextProbeAt = now + this.#probePause
  }
}
