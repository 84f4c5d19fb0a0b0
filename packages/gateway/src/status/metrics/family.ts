// Metrics as data, from which Prometheus's text and the metrics of prom-client are made.

import { BUCKETS } from '@fastcgi/client/internal'
import type { TimesSnapshot } from '../snapshot.ts'

/** Labels by name. */
export type Labels = Readonly<Record<string, string>>

/** One value of a metric. `suffix` is `_bucket`, `_sum` or `_count` for those of a histogram. */
export interface Sample {
  readonly suffix: string
  readonly labels: Labels
  readonly value: number
}

/** A metric with all its values. */
export interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly samples: readonly Sample[]
}

/** A metric that goes up only. Its name ends in `_total`. */
export function counter(name: string, help: string, values: Iterable<Value>): Family {
  return { name, type: 'counter', help, samples: plain(values) }
}

/** A metric that goes up and down. */
export function gauge(name: string, help: string, values: Iterable<Value>): Family {
  return { name, type: 'gauge', help, samples: plain(values) }
}

/** Durations. The figures are in milliseconds, the metric is in seconds. */
export function histogram(
  name: string,
  help: string,
  values: Iterable<readonly [Labels, TimesSnapshot]>,
): Family {
  const samples = [...values].flatMap(([labels, { counts, count, sum }]) => {
    let cumulated = 0
    const buckets = counts.map((inBucket, at): Sample => {
      cumulated += inBucket
      const bound = BUCKETS[at]
      const le = bound === undefined ? '+Inf' : String(bound / 1000)
      return { suffix: '_bucket', labels: { ...labels, le }, value: cumulated }
    })
    const total: Sample = { suffix: '_sum', labels, value: sum / 1000 }
    return [...buckets, total, { suffix: '_count', labels, value: count }]
  })
  return { name, type: 'histogram', help, samples }
}

/** A value with its labels. */
export type Value = readonly [labels: Labels, value: number]

function plain(values: Iterable<Value>): Sample[] {
  return [...values].map(([labels, value]) => ({ suffix: '', labels, value }))
}
