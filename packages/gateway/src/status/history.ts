// The last 15 minutes of a member, a dispatcher, or all together, in steps of ten seconds.

import { quantileOf } from '@fastcgi/client/internal'

/** Milliseconds of a step. */
export const STEP = 10_000
/** Number of steps. */
export const STEPS = 90

/** What happened in each step, the oldest first; null where nothing is known, as before the start. */
export interface HistorySnapshot {
  /** End of the last step, in ISO 8601. Steps end at whole multiples of `step` since 1970, so those of several processes agree. */
  readonly end: string
  /** Milliseconds of a step. */
  readonly step: number
  /** Requests that have ended. */
  readonly requests: ReadonlyArray<number | null>
  /** Those of them that failed, without those that were aborted. */
  readonly failures: ReadonlyArray<number | null>
  /** Quantiles of their duration in milliseconds, as upper bounds; null as well without requests, and above the last bound. */
  readonly p50: ReadonlyArray<number | null>
  readonly p99: ReadonlyArray<number | null>
  /** Requests that waited at the end of the step. */
  readonly queue: ReadonlyArray<number | null>
}

/** Cumulative figures, from which steps are computed. */
export interface Totals {
  readonly requests: number
  readonly failures: number
  readonly queue: number
  /** Durations by bucket. */
  readonly counts: readonly number[]
}

const FIELDS = ['requests', 'failures', 'p50', 'p99', 'queue'] as const
type Step = Record<(typeof FIELDS)[number], number | null>

/** The steps of one thing, in constant memory. */
export class History {
  /** By the number of the step modulo STEPS. */
  readonly #steps: Array<{ readonly number: number; readonly step: Step } | undefined> = []
  #before: Totals | undefined

  /** Closes the step that ends at `now`. @param now milliseconds since 1970. */
  add(totals: Totals, now: number): void {
    const before = this.#before
    this.#before = { ...totals, counts: [...totals.counts] }
    if (before === undefined) return
    const number = Math.round(now / STEP)
    // A member that has been replaced by another begins again.
    const since = (after: number, earlier: number): number => Math.max(0, after - earlier)
    const counts = totals.counts.map((count, at) => since(count, before.counts[at] ?? 0))
    const timed = counts.reduce((sum, count) => sum + count, 0)
    const quantile = (fraction: number): number | null => {
      const bound = quantileOf(counts, timed, fraction)
      return bound === undefined || !Number.isFinite(bound) ? null : bound
    }
    this.#steps[number % STEPS] = {
      number,
      step: {
        requests: since(totals.requests, before.requests),
        failures: since(totals.failures, before.failures),
        p50: quantile(0.5),
        p99: quantile(0.99),
        queue: totals.queue,
      },
    }
  }

  /** The steps until now. @param now milliseconds since 1970. */
  snapshot(now: number): HistorySnapshot {
    const last = Math.floor(now / STEP)
    const steps = Array.from({ length: STEPS }, (_, at) => {
      const number = last - STEPS + 1 + at
      const found = this.#steps[number % STEPS]
      return found?.number === number ? found.step : undefined
    })
    return inColumns(steps, last * STEP)
  }
}

/** Adds up histories. A quantile of a sum is not known: p50 is weighted by requests, p99 is the highest. */
export function mergeHistories(histories: readonly HistorySnapshot[]): HistorySnapshot {
  const end = Math.max(...histories.map((history) => Date.parse(history.end)))
  const steps = Array.from({ length: STEPS }, (_, at) => {
    const known = histories.flatMap((history) => {
      // The histories may have been taken on both sides of the end of a step.
      const step = stepAt(history, at + (end - Date.parse(history.end)) / STEP)
      return step === undefined ? [] : [step]
    })
    return known.length === 0 ? undefined : known.reduce(addSteps)
  })
  return inColumns(steps, end)
}

function stepAt(history: HistorySnapshot, at: number): Step | undefined {
  const value = (field: keyof Step): number | null => history[field][at] ?? null
  if (value('requests') === null) return undefined
  return Object.fromEntries(FIELDS.map((field) => [field, value(field)])) as Step
}

function addSteps(a: Step, b: Step): Step {
  const [x, y] = [a.requests ?? 0, b.requests ?? 0]
  const highest = Math.max(a.p99 ?? 0, b.p99 ?? 0)
  return {
    requests: x + y,
    failures: (a.failures ?? 0) + (b.failures ?? 0),
    p50:
      a.p50 === null || b.p50 === null
        ? (a.p50 ?? b.p50)
        : (a.p50 * x + b.p50 * y) / Math.max(1, x + y),
    p99: highest === 0 ? null : highest,
    queue: (a.queue ?? 0) + (b.queue ?? 0),
  }
}

function inColumns(steps: ReadonlyArray<Step | undefined>, end: number): HistorySnapshot {
  const column = (field: keyof Step): Array<number | null> =>
    steps.map((step) => step?.[field] ?? null)
  return {
    end: new Date(end).toISOString(),
    step: STEP,
    requests: column('requests'),
    failures: column('failures'),
    p50: column('p50'),
    p99: column('p99'),
    queue: column('queue'),
  }
}
