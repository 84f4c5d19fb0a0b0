/** Counts the requests of a process and accumulates the time it has been busy. */
export class LoadMeter {
  #load = 0
  #busy = 0
  #changedAt = performance.now()

  /** Requests that are being served. */
  get load(): number {
    return this.#load
  }

  /** Time of `performance.now()` since which there has been no request; undefined while there is one. */
  get idleSince(): number | undefined {
    return this.#load === 0 ? this.#changedAt : undefined
  }

  /** Total duration of all requests so far, in milliseconds; concurrent requests add up. */
  busyTime(now: number): number {
    return this.#busy + this.#load * Math.max(0, now - this.#changedAt)
  }

  /** Records the start (1) or the end (-1) of a request. */
  change(by: 1 | -1): void {
    const now = performance.now()
    this.#busy = this.busyTime(now)
    this.#changedAt = now
    this.#load += by
  }
}
