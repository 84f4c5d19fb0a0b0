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

/** A failed start. Times are of the clock of the throttle. */
export interface FailedStart {
  /** When it was made. */
  readonly startedAt: number
  /** Whether the process was ended by another one, so that its end says nothing about the program. */
  readonly killed: boolean
}

/** Number of consecutive failures by being killed that do not double the delay. */
const KILLS_WITHOUT_DOUBLING = 3

/**
 * Decides when the next process may be started: `initStartDelay` after the last start, and after failures with
 * exponential backoff.
 */
export class StartThrottle {
  readonly #times: StartTimes
  #failures = 0
  #kills = 0
  #failedAt = Number.NEGATIVE_INFINITY
  #notBefore = Number.NEGATIVE_INFINITY
  #lastStart = Number.NEGATIVE_INFINITY

  constructor(times: StartTimes) {
    this.#times = times
  }

  /** Number of consecutive failures, as far as they count for the delay. */
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

  /**
   * Processes that were all running when the first of them failed count as one failure. Being killed delays the next start,
   * but doubles the delay only if it happens again and again, as where the system kills a program for lack of memory.
   */
  failed(now: number, { startedAt, killed }: FailedStart): void {
    if (startedAt < this.#failedAt) return
    this.#failedAt = now
    if (killed) this.#kills++
    const doubles = !killed || this.#kills > KILLS_WITHOUT_DOUBLING
    if (doubles || this.#failures === 0) this.#failures++
    const { restartDelay, maxRestartDelay } = this.#times
    const doublings = Math.min(this.#failures - 1, 30)
    this.#notBefore = now + Math.min(restartDelay * 2 ** doublings, maxRestartDelay)
  }

  /** A process has answered a request or outlived `minServerLife`: resets the backoff. */
  succeeded(): void {
    this.#failures = 0
    this.#kills = 0
    this.#notBefore = Number.NEGATIVE_INFINITY
  }
}
