const WINDOW_MS = 10_000
/** Who looks every few seconds never does so to the millisecond. */
const SLACK_MS = 1000
/** Less time than this says nothing. */
const MIN_INTERVAL_MS = 500

interface Sample {
  readonly at: number
  readonly count: number
}

/** How fast counters grow. Nothing runs in between: who looks takes a sample. */
export class Rates {
  readonly #samples = new WeakMap<object, Sample[]>()

  /**
   * Counts per second over the last ten seconds, or since the last look where that is longer ago; undefined at first.
   * @param of whose counter it is.
   */
  perSecond(of: object, count: number, now: number): number | undefined {
    const samples = this.#samples.get(of) ?? []
    this.#samples.set(of, samples)
    const age = (at: number): number => now - (samples[at]?.at ?? now)
    while (age(0) > WINDOW_MS + SLACK_MS && age(1) >= MIN_INTERVAL_MS) samples.shift()
    const [oldest] = samples
    const latest = samples.at(-1)
    if (latest === undefined || now - latest.at >= MIN_INTERVAL_MS) samples.push({ at: now, count })
    if (oldest === undefined || now - oldest.at < MIN_INTERVAL_MS) return undefined
    return ((count - oldest.count) * 1000) / (now - oldest.at)
  }
}
