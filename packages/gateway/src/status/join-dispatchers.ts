import type { Dispatcher } from '@fastcgi/client'
import type { GatewayCache } from '../cache/caches.ts'

/** A gateway, or middleware that is made of one. */
interface Shown {
  readonly dispatchers: Readonly<Record<string, Dispatcher>>
  readonly cache?: GatewayCache | undefined
}

/** The caches of several gateways, each by the name of its first dispatcher. */
export function joinCaches(gateways: Iterable<Shown>): Record<string, GatewayCache> {
  const all = new Map<string, GatewayCache>()
  for (const { dispatchers, cache } of gateways) {
    if (cache === undefined) continue
    const [name = 'cache'] = Object.keys(dispatchers)
    all.set(freeName(name, all), cache)
  }
  return Object.fromEntries(all)
}

/** The dispatchers of several gateways, each once. A second one of the same name is called `name (2)`, and so on. */
export function joinDispatchers(gateways: Iterable<Shown>): Record<string, Dispatcher> {
  const all = new Map<string, Dispatcher>()
  const known = new Set<Dispatcher>()
  for (const { dispatchers } of gateways)
    for (const [name, dispatcher] of Object.entries(dispatchers)) {
      if (known.has(dispatcher)) continue
      known.add(dispatcher)
      all.set(freeName(name, all), dispatcher)
    }
  return Object.fromEntries(all)
}

function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  let free = name
  for (let n = 2; taken.has(free); n++) free = `${name} (${n})`
  return free
}
