// HTTP_* params that belong to the configuration, so that no header field of a client may set them.

import type { Env } from './environment-input.ts'

/**
 * Fields whose values clients choose, and applications expect them to. An `env` function that replaces one of these for some
 * requests does not take it from the others.
 */
const CLIENT_FIELDS =
  /^HTTP_(?:ACCEPT(?:_.*)?|AUTHORIZATION|CACHE_CONTROL|COOKIE|DNT|FROM|HOST|IF_.*|ORIGIN|PRAGMA|RANGE|REFERER|SEC_.*|UPGRADE_INSECURE_REQUESTS|USER_AGENT)$/

/** Names that are remembered; a function that makes names from requests must not fill the memory. */
const MAX_NAMES = 1000

/**
 * The `HTTP_*` params that are reserved: those of the option `reserveParams`, and all that an `env` function has returned so
 * far, except those of fields that clients choose by themselves. A function that sets `HTTP_X_USER` only for some requests
 * would otherwise let the field `X-User` of a client through in the others.
 */
export class ReservedParams {
  readonly #names: Set<string>
  readonly #ofFunction: Set<string>

  /** @param ofFunction names that the function has returned; all routes with that function share them. */
  constructor(names: readonly string[], ofFunction: Set<string>) {
    this.#names = new Set(names)
    this.#ofFunction = ofFunction
  }

  has(name: string): boolean {
    return this.#names.has(name) || this.#ofFunction.has(name)
  }

  /**
   * Reserves the `HTTP_*` params that were given for one request, also those that are undefined, as in
   * `{ HTTP_X_USER: user?.name }`. One that is null is removed from that request alone.
   */
  addAll(env: Env): void {
    for (const name in env)
      if (name.startsWith('HTTP_') && env[name] !== null && !this.#ofFunction.has(name))
        if (this.#ofFunction.size < MAX_NAMES && !CLIENT_FIELDS.test(name))
          this.#ofFunction.add(name)
  }
}

const namesByFunction = new WeakMap<object, Set<string>>()

/** The reserved params of a route. @param env its option `env`. @param names its option `reserveParams`. */
export function reservedParams(env: unknown, names: readonly string[] = []): ReservedParams {
  if (typeof env !== 'function') return new ReservedParams(names, new Set())
  let known = namesByFunction.get(env)
  if (known === undefined) {
    known = new Set()
    namesByFunction.set(env, known)
  }
  return new ReservedParams(names, known)
}
