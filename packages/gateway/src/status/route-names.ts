// Which routes use a dispatcher, so that it can be named by what people have written rather than only by its address.

import type { Dispatcher } from '@fastcgi/client'

/** How many names are kept of a dispatcher: prefixes of Express may have parameters. */
const MAX_NAMES = 8

const names = new WeakMap<Dispatcher, Set<string>>()

/** Notes that a route uses a dispatcher. */
export function nameRoute(dispatcher: Dispatcher, name: string): void {
  const known = names.get(dispatcher) ?? new Set<string>()
  names.set(dispatcher, known)
  if (known.size < MAX_NAMES) known.add(name)
}

/** The names of the routes that use a dispatcher, in order of their first use. */
export function routesOf(dispatcher: Dispatcher): string[] {
  return [...(names.get(dispatcher) ?? [])]
}

/**
 * Name of a route: its prefix, and what it matches.
 * @param match extension (`.php`), path prefix or regular expression.
 */
export function routeName(prefix: string, match: string | RegExp): string {
  if (match instanceof RegExp) return `${prefix} ~ ${match.source}`.trim()
  if (match.startsWith('.')) return `${prefix}/*${match}`
  return match === '/' && prefix !== '' ? prefix : prefix + match
}

/** Names the routes of a gateway by where they are mounted. */
export class MountNames {
  readonly #routes: ReadonlyArray<{
    readonly dispatcher: Dispatcher
    readonly match: string | RegExp
  }>
  readonly #isLearned: boolean
  /** The mount point that the routes were last named by. */
  #mount: string | undefined

  /** @param prefix where they are mounted; undefined if requests tell. */
  constructor(
    routes: ReadonlyArray<{ readonly dispatcher: Dispatcher; readonly match: string | RegExp }>,
    prefix: string | undefined,
  ) {
    this.#routes = routes
    this.#isLearned = prefix === undefined
    if (prefix !== undefined) this.#name(prefix)
  }

  /** A request has this mount point. */
  learn(mount: string): void {
    if (this.#isLearned && mount !== this.#mount) this.#name(mount)
  }

  #name(mount: string): void {
    this.#mount = mount
    for (const { dispatcher, match } of this.#routes) nameRoute(dispatcher, routeName(mount, match))
  }
}
