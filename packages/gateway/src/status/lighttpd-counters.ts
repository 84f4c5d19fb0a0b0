import type { StatusSnapshot } from './snapshot.ts'

/** The names lighttpd's mod_status gives the counters. What several members of one name count is added up. */
export function lighttpdCounters({ dispatchers }: StatusSnapshot): Record<string, number> {
  const counters: Record<string, number> = { 'gw.active-requests': 0, 'fastcgi.requests': 0 }
  const add = (name: string, value: number): void => {
    counters[name] = (counters[name] ?? 0) + value
  }
  for (const { name, kind, stats, members } of dispatchers) {
    add('gw.active-requests', stats.active)
    add('fastcgi.requests', stats.requests)
    // Of what is no balancer nobody counts the rest.
    if (kind !== 'balancer') {
      add(`gw.backend.${name}.connected`, stats.requests)
      add(`gw.backend.${name}.load`, stats.active)
    }
    for (const { name, counters } of members)
      for (const counter of ['connected', 'load', 'died', 'disabled', 'overloaded'] as const)
        add(`gw.backend.${name}.${counter}`, counters[counter])
  }
  return counters
}
