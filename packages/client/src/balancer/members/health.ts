/** How failures of a member are taken. */
export interface HealthRules {
  /** Milliseconds it stays out at first. */
  retry: number
  maxFailures: number
  failureWindow: number
}

const LONGEST_BAN = 60_000

/**
 * What is known of a member from the requests it got (passive health). Times in milliseconds, given from outside.
 *
 * Enough failures in a row of time take it out; when the time is up, one request at a time tries it (half-open), and
 * each failure of those doubles the time, up to a minute or `retry` where that is longer, give or take a tenth so that members do not come back in step.
 */
export class Health {
  #failures: number[] = []
  #outUntil = 0
  #ban = 0
  #probing = false
  #checkFailed = false

  /** Whether it is out, or on trial. */
  get failed(): boolean {
    return this.#outUntil > 0 || this.#checkFailed
  }

  /** Whether it may get a request; one that is on trial gets one at a time. */
  usable(now: number): boolean {
    if (this.#checkFailed) return false
    return this.#outUntil === 0 || (now >= this.#outUntil && !this.#probing)
  }

  /** A request goes to it; returns whether that is a probe. */
  chosen(): boolean {
    if (this.#outUntil === 0) return false
    this.#probing = true
    return true
  }

  /** A request succeeded. While it is out, those that were on their way before say nothing: only a probe does. */
  succeeded(probe: boolean): void {
    if (this.#outUntil > 0 && !probe) return
    this.#failures.length = 0
    this.#outUntil = this.#ban = 0
    this.#probing = false
  }

  /** Everything is forgiven. */
  forget(): void {
    this.succeeded(true)
    this.#checkFailed = false
  }

  /** Nothing can be said: the client went away, say. */
  undecided(probe: boolean): void {
    if (probe) this.#probing = false
  }

  /** A request failed; returns whether this takes it out. A `certain` failure does so at once. */
  record(
    now: number,
    rules: HealthRules,
    { certain = false, probe = false }: { certain?: boolean; probe?: boolean } = {},
  ): boolean {
    if (probe) this.#probing = false
    if (this.#outUntil === 0) {
      const window = rules.failureWindow || Number.POSITIVE_INFINITY
      this.#failures = this.#failures.filter((at) => now - at < window)
      this.#failures.push(now)
      if (!certain && this.#failures.length < rules.maxFailures) return false
    } else if (!probe) return false
    const longest = Math.max(LONGEST_BAN, rules.retry)
    this.#ban = Math.min(longest, this.#ban === 0 ? rules.retry : this.#ban * 2)
    this.#outUntil = now + this.#ban * (0.9 + Math.random() * 0.2)
    this.#failures.length = 0
    return true
  }

  /** Milliseconds until it may be tried, 0 when it may be now. */
  outFor(now: number): number {
    return Math.max(0, this.#outUntil - now)
  }

  /** What an active check says. */
  checked(passed: boolean): void {
    this.#checkFailed = !passed
    if (passed) this.succeeded(true)
  }
}
