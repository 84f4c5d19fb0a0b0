/** Mean milliseconds between requests above which connections are not kept: a new one costs little by comparison. */
const SLOW = 20

/** Milliseconds up to which a pause counts, so that a few requests after a long one make a stream. */
const LONGEST = 100

/** How closely requests follow each other. */
export class Pace {
  /** Mean milliseconds between requests; the last one counts half. */
  #pause = LONGEST
  #startedAt = 0

  /** A request has arrived. */
  started(now: number): void {
    this.#pause = this.#meanUntil(now)
    this.#startedAt = now
  }

  /** Whether requests are rare. */
  isSlow(now: number): boolean {
    return this.#meanUntil(now) > SLOW
  }

  #meanUntil(now: number): number {
    return (this.#pause + Math.min(now - this.#startedAt, LONGEST)) / 2
  }
}
