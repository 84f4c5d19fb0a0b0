/** The options by which failures are judged; see BalancerOptions. */
export interface HealthRules {
  /** First delay in milliseconds before a failed member is tried again. */
  retry: number
  maxFailures: number
  failureWindow: number
}

/** Maximum delay in milliseconds, unless the option `retry` is larger. */
const MAX_RETRY_DELAY = 60_000

/** Milliseconds during which other members are preferred after a refusal; doubles with each further refusal. */
const MIN_REFUSAL_PAUSE = 25
const MAX_REFUSAL_PAUSE = 1000

/**
 * The health of a member, by the requests that it has received (passive) and by active health checks. Times are in
 * milliseconds and passed by the caller.
 *
 * It works as a circuit breaker: `maxFailures` within `failureWindow` make the member unavailable for `retry`. After
 * that it is half-open: it receives one request at a time, a probe. Success makes it available; each failed probe
 * doubles the delay, up to MAX_RETRY_DELAY. A random tenth is added or subtracted, so that members which failed
 * together are not tried again at the same time.
 */
export class Health {
  #failures: number[] = []
  #outUntil = 0
  #retryDelay = 0
  #probing = false
  #checkFailed = false
  #refusesUntil = 0
  #refusalPause = 0

  /** Whether it is unavailable or half-open. */
  get failed(): boolean {
    return this.#outUntil > 0 || this.#checkFailed
  }

  /** Whether it may receive a request. A half-open member may while no probe is active. */
  usable(now: number): boolean {
    if (this.#checkFailed) return false
    return this.#outUntil === 0 || (now >= this.#outUntil && !this.#probing)
  }

  /**
   * Whether the member refused a request a moment ago. A member that refuses at once always has the fewest active
   * requests, so balancing methods by load would send every request to it first.
   */
  refuses(now: number): boolean {
    return now < this.#refusesUntil
  }

  /** The member refused a request because it had no room. */
  refused(now: number): void {
    if (now < this.#refusesUntil) return
    this.#refusalPause = Math.min(
      MAX_REFUSAL_PAUSE,
      this.#refusalPause === 0 ? MIN_REFUSAL_PAUSE : this.#refusalPause * 2,
    )
    this.#refusesUntil = now + this.#refusalPause
  }

  /** Called when a request is sent to the member; returns whether that is a probe. */
  chosen(): boolean {
    if (this.#outUntil === 0) return false
    this.#probing = true
    return true
  }

  /** A request succeeded. On a failed member only a probe counts: other requests were sent before it failed. */
  succeeded(probe: boolean): void {
    this.#refusesUntil = this.#refusalPause = 0
    if (this.#outUntil > 0 && !probe) return
    this.#failures.length = 0
    this.#outUntil = this.#retryDelay = 0
    this.#probing = false
  }

  /** Resets the member to healthy. */
  forget(): void {
    this.succeeded(true)
    this.#checkFailed = false
  }

  /** A request ended without a result, for instance because the HTTP client has disconnected. */
  undecided(probe: boolean): void {
    if (probe) this.#probing = false
  }

  /** A request failed; returns whether this makes the member unavailable. A `certain` failure does so at once. */
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
    const longest = Math.max(MAX_RETRY_DELAY, rules.retry)
    this.#retryDelay = Math.min(
      longest,
      this.#retryDelay === 0 ? rules.retry : this.#retryDelay * 2,
    )
    this.#outUntil = now + this.#retryDelay * (0.9 + Math.random() * 0.2)
    this.#failures.length = 0
    return true
  }

  /** Milliseconds until it may receive a probe; 0 if it may now. */
  outFor(now: number): number {
    return Math.max(0, this.#outUntil - now)
  }

  /** Applies the result of an active health check. */
  checked(passed: boolean): void {
    this.#checkFailed = !passed
    if (passed) this.succeeded(true)
  }
}
