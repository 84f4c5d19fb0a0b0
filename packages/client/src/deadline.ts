/** One timer for a sequence of waits, of which only the last one counts. */
export class Deadline<Reason> {
  readonly #onTimeout: (reason: Reason, length: number) => void
  #timer: NodeJS.Timeout | undefined
  #reason: Reason | undefined
  #length = 0

  constructor(onTimeout: (reason: Reason, length: number) => void) {
    this.#onTimeout = onTimeout
  }

  /** What was waited for last. */
  get reason(): Reason | undefined {
    return this.#reason
  }

  /** Waits anew, for `length` milliseconds; 0 waits for ever. */
  wait(reason: Reason, length: number): void {
    this.#reason = reason
    if (this.#timer !== undefined && this.#length === length) {
      // Costs far less than a new timer, and lengths seldom differ.
      this.#timer.refresh()
      return
    }
    clearTimeout(this.#timer)
    this.#length = length
    this.#timer = length === 0 ? undefined : setTimeout(this.#fire, length)
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  readonly #fire = (): void => {
    this.#timer = undefined
    if (this.#reason !== undefined) this.#onTimeout(this.#reason, this.#length)
  }
}
