// The labels of metrics: by which route and member a value is known.

import type { DispatcherSnapshot, MemberSnapshot } from '../snapshot.ts'
import type { Labels } from './family.ts'

/** Routes that a label names; a dispatcher with more is known well enough by these. */
const MAX_ROUTES = 3

/** A member with its labels. */
export interface LabelledMember {
  readonly member: MemberSnapshot
  readonly labels: Labels
  readonly dispatcher: DispatcherSnapshot
}

/** The value of the label `route` for each dispatcher: its routes, or its name if it has none. No two are the same. */
export function routeLabels(
  dispatchers: readonly DispatcherSnapshot[],
): ReadonlyMap<DispatcherSnapshot, string> {
  const labels = new Map<DispatcherSnapshot, string>()
  const taken = new Set<string>()
  for (const dispatcher of dispatchers) {
    const { name, routes } = dispatcher
    const wanted = routes.slice(0, MAX_ROUTES).join(' ') || name
    const label = taken.has(wanted) ? `${wanted} (${name})` : wanted
    taken.add(label)
    labels.set(dispatcher, label)
  }
  return labels
}

/** All members with their labels. */
export function labelledMembers(dispatchers: readonly DispatcherSnapshot[]): LabelledMember[] {
  const routes = routeLabels(dispatchers)
  return dispatchers.flatMap((dispatcher) =>
    dispatcher.members.map((member) => {
      const labels = { route: routes.get(dispatcher) ?? dispatcher.name, member: member.name }
      return { member, labels, dispatcher }
    }),
  )
}
