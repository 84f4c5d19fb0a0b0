/**
 * Upper bounds of the buckets in milliseconds: fine enough for an application that answers in a fraction of a millisecond, and
 * up to the usual timeout of a minute.
 */
export const BUCKETS: readonly number[] = [
  0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000,
]

/** A histogram of durations, in constant memory. */
export class Histogram {
  /** Number of observations per bucket of {@link BUCKETS}, not cumulative; the last one counts those above all bounds. */
  readonly counts: number[] = new Array(BUCKETS.length + 1).fill(0)
  /** Number of all observations. */
  count = 0
  /** Sum of all observations in milliseconds. */
  sum = 0

  /** Adds an observation. */
  observe(milliseconds: number): void {
    let slot = 0
    while (milliseconds > (BUCKETS[slot] ?? Number.POSITIVE_INFINITY)) slot++
    this.counts[slot] = (this.counts[slot] ?? 0) + 1
    this.count++
    this.sum += milliseconds
  }

  /** Returns the upper bound of the bucket that contains the quantile `fraction`; undefined without observations. */
  quantile(fraction: number): number | undefined {
    return quantileOf(this.counts, this.count, fraction)
  }
}

/** The quantile of observations that were counted by bucket; see {@link Histogram.quantile}. */
export function quantileOf(
  counts: readonly number[],
  count: number,
  fraction: number,
): number | undefined {
  if (count === 0) return undefined
  let left = count * fraction
  for (const [at, observations] of counts.entries()) {
    left -= observations
    if (left <= 0) return BUCKETS[at] ?? Number.POSITIVE_INFINITY
  }
  return Number.POSITIVE_INFINITY
}
