/** Samples of the heap, and whether it grows. */

/** Bytes a minute that a long run may show. */
const SLOPE = 1e6
/** Seconds of a run that is long enough to say anything of a slope. */
const LONG = 240
/** Bytes by which the heap may have grown from the quiet before to the quiet after, in a short run. */
const GROWTH = 8e6

export class Heap {
  readonly #samples: Array<readonly [minute: number, bytes: number]> = []

  add(bytes: number): void {
    this.#samples.push([performance.now() / 60_000, bytes])
  }

  /** Bytes a minute: the median of the slopes between samples, which single peaks do not move (Theil and Sen). */
  slope(samples: ReadonlyArray<readonly [number, number]> = this.#samples): number {
    const slopes = samples.flatMap(([at, bytes], n) =>
      samples.slice(n + 1).map(([later, more]) => (more - bytes) / (later - at)),
    )
    slopes.sort((a, b) => a - b)
    return slopes[Math.floor(slopes.length / 2)] ?? 0
  }

  /** Slopes of both halves of the run, in MB a minute: what only fills up in the beginning does not grow later. */
  halves(): string {
    const half = Math.floor(this.#samples.length / 2)
    return [this.#samples.slice(0, half), this.#samples.slice(half)]
      .map((samples) => (this.slope(samples) / 1e6).toFixed(2))
      .join(' ')
  }

  /** In words, when it has grown beyond what a run of so many seconds may show. */
  excess(before: number, after: number, seconds: number): string | undefined {
    const slope = this.slope()
    if (seconds >= LONG && slope > SLOPE) return `${(slope / 1e6).toFixed(2)} MB a minute`
    if (after - before > GROWTH) return `${((after - before) / 1e6).toFixed(1)} MB in all`
    return undefined
  }
}
