// The dispatchers (pools and balancers) that the routes of a gateway use, made from the options `upstream` and `clusters`.

import {
  Balancer,
  type BalancerOptions,
  type Dispatcher,
  type DispatcherStats,
  OptionError,
  type PoolOptions,
  parseAddress,
  type ResolvedUpstream,
  resolveUpstream,
  type Upstream,
} from '@fastcgi/client'

/**
 * Balancers by name, for routes to share. A balancer made from options is closed with the gateway; a given one is not.
 */
export type Clusters = Readonly<Record<string, BalancerOptions | Balancer>>

const CLUSTER = 'balancer://'

/** The dispatchers behind the routes of a gateway. Routes that name the same upstream share its connections. */
export class Upstreams {
  readonly #where: string
  readonly #pool: PoolOptions
  readonly #clusters: Clusters
  readonly #resolved = new Map<Upstream, ResolvedUpstream>()

  constructor(where: string, pool: PoolOptions, clusters: Clusters) {
    this.#where = where
    this.#pool = pool
    this.#clusters = clusters
  }

  /** The dispatcher for an upstream; `'balancer://name'` names one of the clusters. @throws OptionError */
  get(upstream: Upstream | undefined): Dispatcher {
    if (upstream === undefined)
      throw new OptionError(
        `${this.#where}: option upstream is missing; say where the application listens, such as 'unix:/run/php/php-fpm.sock'`,
      )
    const key = keyOf(upstream)
    let resolved = this.#resolved.get(key)
    if (resolved === undefined) {
      resolved =
        typeof key === 'string' && key.startsWith(CLUSTER)
          ? this.#cluster(key.slice(CLUSTER.length))
          : resolveUpstream(upstream, this.#pool)
      this.#resolved.set(key, resolved)
    }
    return resolved.dispatcher
  }

  /** All dispatchers in use: balancers by their name, pools by their address. */
  get all(): Readonly<Record<string, Dispatcher>> {
    const all: Record<string, Dispatcher> = {}
    for (const [upstream, { dispatcher }] of this.#resolved) {
      const name = nameOf(upstream, dispatcher)
      // Balancers without a name of their own share a default name.
      let free = name
      for (let n = 2; Object.hasOwn(all, free); n++) free = `${name} ${n}`
      all[free] = dispatcher
    }
    return all
  }

  /** Closes the dispatchers that were made here, not those that were passed in. */
  async close(): Promise<void> {
    const owned = [...this.#resolved.values()].filter((upstream) => upstream.owned)
    await Promise.all(owned.map((upstream) => upstream.dispatcher.close()))
  }

  #cluster(name: string): ResolvedUpstream {
    const cluster = Object.hasOwn(this.#clusters, name) ? this.#clusters[name] : undefined
    if (cluster instanceof Balancer) return { dispatcher: cluster, owned: false }
    if (cluster !== undefined)
      return { dispatcher: new Balancer({ ...this.#pool, name, ...cluster }), owned: true }
    const names = Object.keys(this.#clusters).join(', ') || 'none'
    throw new OptionError(
      `${this.#where}: option upstream: there is no cluster ${name} (option clusters); there are: ${names}`,
    )
  }
}

/** The counters of dispatchers, by the same names. */
export function statsOf(
  dispatchers: Readonly<Record<string, Dispatcher>>,
): Readonly<Record<string, DispatcherStats>> {
  const all = Object.entries(dispatchers)
  return Object.fromEntries(all.map(([name, dispatcher]) => [name, dispatcher.stats]))
}

/** The same key for every spelling of an address, so that routes share its connections. @throws OptionError */
function keyOf(upstream: Upstream): Upstream {
  if (typeof upstream !== 'string' || upstream.startsWith('srv:')) return upstream
  return upstream.startsWith(CLUSTER) ? upstream.replace(/\/$/, '') : parseAddress(upstream).name
}

function nameOf(upstream: Upstream, dispatcher: Dispatcher): string {
  if (dispatcher instanceof Balancer) return dispatcher.name
  return typeof upstream === 'string' ? upstream : 'upstream'
}
