/**
 * One timeout that is restarted often, on every read and write, and rarely expires.
 *
 * Restarting only stores the new time. The timer keeps running unless it would fire too late; when it fires early, it
 * is set again for the remaining time. This avoids a clearTimeout() and setTimeout() for each restart.
 */
export class Deadline<Reason> {
  readonly #onTimeout: (reason: Reason, length: number) => void
  #timer: NodeJS.Timeout | undefined
  /** performance.now() when the timer fires. */
  #firesAt = 0
  /** performance.now() when the timeout expires. */
  #until = 0
  #reason: Reason | undefined
  #length = 0

  constructor(onTimeout: (reason: Reason, length: number) => void) {
    this.#onTimeout = onTimeout
  }

  /** The reason passed to the last {@link wait}. */
  get reason(): Reason | undefined {
    return this.#reason
  }

  /** Restarts the timeout: it expires `length` milliseconds after `now`; with 0 it never does. */
  wait(reason: Reason, length: number, now: number = performance.now()): void {
    this.#reason = reason
    this.#length = length
    this.#until = length === 0 ? Number.POSITIVE_INFINITY : now + length
    if (this.#timer !== undefined && this.#firesAt <= this.#until) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (length > 0) this.#set(length, now)
  }

  /** Stops the timeout. */
  clear(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #set(length: number, now: number): void {
    this.#firesAt = now + length
    this.#timer = setTimeout(this.#fire, length)
  }

  readonly #fire = (): void => {
    this.#timer = undefined
    const now = performance.now()
    const left = this.#until - now
    // Timers have a resolution of 1 ms and may fire up to 1 ms early.
    if (left > 1) {
      if (left !== Number.POSITIVE_INFINITY) this.#set(left, now)
      return
    }
    if (this.#reason !== undefined) this.#onTimeout(this.#reason, this.#length)
  }
}
