/** Counts what a process has to do, and for how long it has had something. */
export class LoadMeter {
  #load = 0
  #busy = 0
  #changedAt = performance.now()

  /** Requests under way. */
  get load(): number {
    return this.#load
  }

  /** Since when there has been none, as of performance.now(); undefined while there is one. */
  get idleSince(): number | undefined {
    return this.#load === 0 ? this.#changedAt : undefined
  }

  /** Milliseconds of all requests until now; two at a time count twice. */
  busyTime(now: number): number {
    return this.#busy + this.#load * Math.max(0, now - this.#changedAt)
  }

  /** A request more, or one less. */
  change(by: 1 | -1): void {
    const now = performance.now()
    this.#busy = this.busyTime(now)
    this.#changedAt = now
    this.#load += by
  }
}
