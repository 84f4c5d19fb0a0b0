/** Upper bounds of the buckets, in milliseconds; Prometheus's usual ones. */
export const BUCKETS: readonly number[] = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]

/** How long things took: counts by bucket, in constant memory. */
export class Histogram {
  /** Observations up to each of {@link BUCKETS}, not cumulated; the last one counts what is beyond them. */
  readonly counts: number[] = new Array(BUCKETS.length + 1).fill(0)
  count = 0
  /** Milliseconds in all. */
  sum = 0

  observe(milliseconds: number): void {
    const at = BUCKETS.findIndex((bound) => milliseconds <= bound)
    const slot = at === -1 ? BUCKETS.length : at
    this.counts[slot] = (this.counts[slot] ?? 0) + 1
    this.count++
    this.sum += milliseconds
  }

  /** The bound below which a fraction of the observations lies; undefined without any. */
  quantile(fraction: number): number | undefined {
    if (this.count === 0) return undefined
    let left = this.count * fraction
    for (const [at, count] of this.counts.entries()) {
      left -= count
      if (left <= 0) return BUCKETS[at] ?? Number.POSITIVE_INFINITY
    }
    return Number.POSITIVE_INFINITY
  }
}
