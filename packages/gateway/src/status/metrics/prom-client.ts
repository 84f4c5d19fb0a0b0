// The status as metrics of prom-client, for processes that have a registry of their own.

import type { StatusSnapshot } from '../snapshot.ts'
import { metricFamilies } from './families.ts'
import type { Family } from './family.ts'

/** The registry of prom-client, as far as it is used: `register`, or a `new Registry()`. */
export interface MetricRegister {
  registerMetric(metric: never): void
}

/** Milliseconds within which the metrics of one scrape are read. */
const SCRAPE = 100

/**
 * Registers all metrics but the deprecated ones. Each is read from a snapshot when the registry is scraped; one snapshot serves a whole scrape.
 * Nothing of prom-client is imported: a metric is an object with a name and a method `get()`.
 */
export function registerMetrics(register: MetricRegister, snapshot: () => StatusSnapshot): void {
  let families: ReadonlyMap<string, Family> = new Map()
  let takenAt = Number.NEGATIVE_INFINITY
  const read = (name: string): Family | undefined => {
    const now = performance.now()
    if (now - takenAt > SCRAPE) {
      families = new Map(metricFamilies(snapshot()).map((family) => [family.name, family]))
      takenAt = now
    }
    return families.get(name)
  }
  for (const { name, type, help } of metricFamilies(snapshot()))
    register.registerMetric({
      name,
      help,
      type,
      aggregator: 'sum',
      get: async () => ({ name, help, type, aggregator: 'sum', values: valuesOf(read(name)) }),
      // The counters are those of the dispatchers, which are not set back.
      reset: () => {},
    } as never)
}

function valuesOf(family: Family | undefined): object[] {
  return (family?.samples ?? []).map(({ suffix, labels, value }) => ({
    labels,
    value,
    ...(suffix !== '' && { metricName: `${family?.name}${suffix}` }),
  }))
}
