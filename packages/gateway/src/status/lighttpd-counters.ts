import type { StatusSnapshot } from './snapshot.ts'

/** The counters by the names of lighttpd's mod_status. Counters of members with the same name are added. */
export function lighttpdCounters({ dispatchers }: StatusSnapshot): Record<string, number> {
  const counters: Record<string, number> = { 'gw.active-requests': 0, 'fastcgi.requests': 0 }
  const add = (name: string, value: number): void => {
    counters[name] = (counters[name] ?? 0) + value
  }
  for (const { name, kind, stats, members } of dispatchers) {
    add('gw.active-requests', stats.active)
    add('fastcgi.requests', stats.requests)
    if (kind === 'dispatcher') {
      add(`gw.backend.${name}.connected`, stats.requests)
      add(`gw.backend.${name}.load`, stats.active)
    }
    for (const member of members)
      for (const counter of ['connected', 'load', 'died', 'disabled', 'overloaded'] as const)
        add(
          `gw.backend.${kind === 'pool' ? name : member.name}.${counter}`,
          member.counters[counter],
        )
  }
  return counters
}
