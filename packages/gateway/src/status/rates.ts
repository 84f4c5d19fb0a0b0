/** Time over which a rate is averaged. */
const WINDOW_MS = 10_000
/** Tolerance of the window, because periodic requests do not arrive to the millisecond. */
const SLACK_MS = 1000
/** Samples closer than this are too close to compute a rate from. */
const MIN_INTERVAL_MS = 500

interface Sample {
  readonly at: number
  readonly count: number
}

/** Computes the rates of counters. There is no timer: each call takes a sample. */
export class Rates {
  readonly #samples = new WeakMap<object, Sample[]>()

  /**
   * The rate per second over the last ten seconds, or since the last call if that is longer ago; undefined at the first call.
   * @param of the object that the counter belongs to.
   * @param now milliseconds, monotonic.
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
