// Limits how often processes of an application are started (mod_fastcgi -init-start-delay and -restart-delay).
/** Times of a {@link StartThrottle}, in milliseconds. */
export interface StartTimes {
  /** Delay after a failed start; doubles with each consecutive failure. */
  readonly restartDelay: number
  /** Upper bound of that delay. */
  readonly maxRestartDelay: number
  /** Minimum time between two starts. */
  readonly initStartDelay: number
}

/**
 * Decides when the next process may be started: `initStartDelay` after the last start, and after failures with
 * exponential backoff.
 */
export class StartThrottle {
  readonly #times: StartTimes
  #failures = 0
  #notBefore = Number.NEGATIVE_INFINITY
  #lastStart = Number.NEGATIVE_INFINITY

  constructor(times: StartTimes) {
    this.#times = times
  }

  /** Number of consecutive failed starts. */
  get failures(): number {
    return this.#failures
  }

  /** Milliseconds until the next start is allowed; 0 if it is allowed now. */
  wait(now: number): number {
    const next = Math.max(this.#notBefore, this.#lastStart + this.#times.initStartDelay)
    return Math.max(0, next - now)
  }

  started(now: number): void {
    this.#lastStart = now
  }

  failed(now: number): void {
    const { restartDelay, maxRestartDelay } = this.#times
    const delay = Math.min(restartDelay * 2 ** Math.min(this.#failures, 30), maxRestartDelay)
    this.#failures++
    this.#notBefore = now + delay
  }

  /** A process has answered a request or outlived `minServerLife`: resets the backoff. */
  succeeded(): void {
    this.#failures = 0
    this.#notBefore = Number.NEGATIVE_INFINITY
  }
}
