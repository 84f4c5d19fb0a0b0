/** Times of a {@link StartThrottle}, in milliseconds. */
export interface StartTimes {
  /** After a failed start; doubles with each further one. */
  readonly restartDelay: number
  /** What the doubling ends at. */
  readonly maxRestartDelay: number
  /** Between any two starts. */
  readonly initStartDelay: number
}

/** Says when a process of an application may be started: not all at once, and less and less often when it fails. */
export class StartThrottle {
  readonly #times: StartTimes
  #failures = 0
  #notBefore = Number.NEGATIVE_INFINITY
  #lastStart = Number.NEGATIVE_INFINITY

  constructor(times: StartTimes) {
    this.#times = times
  }

  /** Starts that failed, one after the other; 0 when the last one did not. */
  get failures(): number {
    return this.#failures
  }

  /** Milliseconds until the next start is allowed; 0 when it is now. */
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

  /** A process serves, or has lived long enough. */
  succeeded(): void {
    this.#failures = 0
    this.#notBefore = Number.NEGATIVE_INFINITY
  }
}
