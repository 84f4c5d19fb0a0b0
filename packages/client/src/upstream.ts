import { Balancer } from './balancer/balancer.ts'
import type { BalancerOptions } from './balancer/options.ts'
import type { Dispatcher } from './dispatcher.ts'
import { OptionError } from './errors.ts'
import type { PoolOptions } from './options.ts'
import { Pool } from './pool/pool.ts'

/**
 * Where requests go: an address (see {@link parseAddress}), several of them, members in full, a DNS service
 * (`'srv:_php._tcp.example'`), a dispatcher that somebody else closes, or a function that makes a dispatcher, which is
 * then closed together with whoever called it.
 */
export type Upstream =
  | string
  | ReadonlyArray<string>
  | BalancerOptions
  | Dispatcher
  | (() => Dispatcher)

/** A dispatcher, and whether it is to be closed by the one who asked for it. */
export interface ResolvedUpstream {
  dispatcher: Dispatcher
  owned: boolean
}

/** Makes a dispatcher of an upstream. @throws OptionError when it is none of the known kinds. */
export function resolveUpstream(upstream: Upstream, options: PoolOptions): ResolvedUpstream {
  if (typeof upstream === 'function') return { dispatcher: checked(upstream()), owned: true }
  if (isDispatcher(upstream)) return { dispatcher: upstream, owned: false }
  return { dispatcher: make(upstream, options), owned: true }
}

function make(
  upstream: string | ReadonlyArray<string> | BalancerOptions,
  options: PoolOptions,
): Dispatcher {
  if (typeof upstream === 'string')
    return upstream.startsWith('srv:')
      ? new Balancer({ ...options, discover: { name: upstream } })
      : new Pool(upstream, options)
  if (isList(upstream)) return new Balancer({ ...options, members: upstream })
  return checked(
    typeof upstream === 'object' && upstream !== null
      ? new Balancer({ ...options, ...upstream })
      : upstream,
  )
}

function isList(upstream: object | ReadonlyArray<string>): upstream is ReadonlyArray<string> {
  return Array.isArray(upstream)
}

function isDispatcher(upstream: unknown): upstream is Dispatcher {
  return typeof (upstream as Dispatcher | null)?.dispatch === 'function'
}

function checked(dispatcher: unknown): Dispatcher {
  if (isDispatcher(dispatcher)) return dispatcher
  throw new OptionError(
    `option upstream must be an address such as 'unix:/run/php/php-fpm.sock', an array of them, { members }, a dispatcher, or a function that makes one; got ${typeof dispatcher}`,
  )
}
