/**
 * One timer for a sequence of waits, of which only the last one counts. It is not set anew for each: where it fires for one
 * that is over, it goes on with what is left of the last one.
 */
export class Deadline<Reason> {
  readonly #onTimeout: (reason: Reason, length: number) => void
  #timer: NodeJS.Timeout | undefined
  /** When the timer fires, and when the last wait is over. */
  #firesAt = 0
  #until = 0
  #reason: Reason | undefined
  #length = 0

  constructor(onTimeout: (reason: Reason, length: number) => void) {
    this.#onTimeout = onTimeout
  }

  /** What was waited for last. */
  get reason(): Reason | undefined {
    return this.#reason
  }

  /** Waits anew, for `length` milliseconds from `now` on; 0 waits for ever. */
  wait(reason: Reason, length: number, now: number = performance.now()): void {
    this.#reason = reason
    this.#length = length
    this.#until = length === 0 ? Number.POSITIVE_INFINITY : now + length
    if (this.#timer !== undefined && this.#firesAt <= this.#until) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (length > 0) this.#set(length, now)
  }

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
    // Timers count whole milliseconds, and may be up to one early.
    if (left > 1) {
      if (left !== Number.POSITIVE_INFINITY) this.#set(left, now)
      return
    }
    if (this.#reason !== undefined) this.#onTimeout(this.#reason, this.#length)
  }
}
