// The caches of a gateway: routes with the same options share one.

import { type CacheStats, type PurgeSelector, type Report, SharedCache } from '@fastcgi/cache'
import { containedLogger } from '@fastcgi/client/internal'
import type { GatewayLogger } from '../logger.ts'
import type { CacheOption, CacheOptions } from './options.ts'
import { RouteCache } from './route-cache.ts'

/** The cache of a gateway, whose routes may have several. */
export interface GatewayCache {
  /**
   * Removes stored responses: `{ url: '/news' }`, `{ prefix: 'https://example.org/blog/' }`, `{ tag: 'post-42' }`,
   * `{ all: true }`. Rejects if the store cannot do it, or fails.
   */
  purge(selector: PurgeSelector): Promise<void>
  /** How often each has happened, of all routes together. */
  readonly stats: Readonly<CacheStats>
  /** URLs with a stored response, and bytes in use; undefined if a store does not say. */
  readonly usage: { readonly entries: number; readonly bytes: number } | undefined
}

/** Makes the caches of a gateway's routes. */
export class Caches<Source> implements GatewayCache {
  readonly #report: Report
  readonly #byOption = new Map<CacheOption<Source>, RouteCache<Source>>()

  /** @param logger told of failures of stores. */
  constructor(logger: GatewayLogger | false | undefined) {
    this.#report = (message, err) => containedLogger(logger).warn({ err }, message)
  }

  /** The cache for the option of a route; undefined for none. */
  get(option: CacheOption<Source> | undefined): RouteCache<Source> | undefined {
    if (option === undefined || option === false) return undefined
    const known = this.#byOption.get(option)
    if (known !== undefined) return known
    const { key, methods, bypass, noStore, tags, allowPurge, ...shared }: CacheOptions<Source> =
      option === true ? {} : option
    const cache = new SharedCache(shared, this.#report)
    const made = new RouteCache(cache, option === true ? {} : option)
    this.#byOption.set(option, made)
    return made
  }

  get isEmpty(): boolean {
    return this.#byOption.size === 0
  }

  async purge(selector: PurgeSelector): Promise<void> {
    await Promise.all(this.#all.map((cache) => cache.purge(selector)))
  }

  get stats(): Readonly<CacheStats> {
    const [first, ...others] = this.#all.map(({ stats }) => ({ ...stats }))
    const sum = first ?? new SharedCache().stats
    for (const stats of others)
      for (const name of Object.keys(sum) as Array<keyof CacheStats>) sum[name] += stats[name]
    return sum
  }

  get usage(): { entries: number; bytes: number } | undefined {
    const sum = { entries: 0, bytes: 0 }
    for (const { usage } of this.#all) {
      if (usage === undefined) return undefined
      sum.entries += usage.entries
      sum.bytes += usage.bytes
    }
    return sum
  }

  get #all(): readonly SharedCache[] {
    return [...this.#byOption.values()].map(({ cache }) => cache)
  }
}
