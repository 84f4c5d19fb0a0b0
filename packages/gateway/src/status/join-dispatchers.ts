import type { Dispatcher } from '@fastcgi/client'

/** The dispatchers of several gateways, each once. A second one of the same name is called `name (2)`, and so on. */
export function joinDispatchers(
  gateways: Iterable<{ readonly dispatchers: Readonly<Record<string, Dispatcher>> }>,
): Record<string, Dispatcher> {
  const all = new Map<string, Dispatcher>()
  const known = new Set<Dispatcher>()
  for (const { dispatchers } of gateways)
    for (const [name, dispatcher] of Object.entries(dispatchers)) {
      if (known.has(dispatcher)) continue
      known.add(dispatcher)
      let free = name
      for (let n = 2; all.has(free); n++) free = `${name} (${n})`
      all.set(free, dispatcher)
    }
  return Object.fromEntries(all)
}
