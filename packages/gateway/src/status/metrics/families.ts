// All metrics of a status, by the conventions of Prometheus: base units, counters that end in _total, few labels.

import type { DispatcherSnapshot, StatusSnapshot } from '../snapshot.ts'
import { cacheFamilies } from './cache-families.ts'
import type { Family } from './family.ts'
import { labelledMembers, routeLabels } from './labels.ts'
import { connectionFamilies, memberFamilies, requestFamilies } from './member-families.ts'
import { processFamilies } from './process-families.ts'

/** The metrics of a snapshot. Those that do not apply, such as of processes without a process manager, have no samples. */
export function metricFamilies(snapshot: StatusSnapshot): Family[] {
  const { dispatchers, processes, caches } = snapshot
  const members = labelledMembers(dispatchers)
  const routes = routeLabels(dispatchers)
  const routeOf = (dispatcher: DispatcherSnapshot): string =>
    routes.get(dispatcher) ?? dispatcher.name
  const routeNamed = (name: string): string => {
    const found = dispatchers.find((dispatcher) => dispatcher.name === name)
    return found === undefined ? name : routeOf(found)
  }
  return [
    ...requestFamilies(dispatchers, members, routeOf),
    ...memberFamilies(members),
    ...connectionFamilies(members),
    ...processFamilies(processes, routeNamed),
    ...cacheFamilies(caches),
  ]
}
