import { Balancer } from './balancer/balancer.ts'
import type { BalancerOptions } from './balancer/options.ts'
import type { Dispatcher } from './dispatcher.ts'
import { OptionError } from './errors.ts'
import type { PoolOptions } from './options.ts'
import { Pool } from './pool/pool.ts'

/**
 * Where requests are sent:
 * - a string: one address (see {@link parseAddress}), or a DNS service such as `'srv:_php._tcp.example'` (RFC 2782);
 * - an array: the addresses of several members of a balancer;
 * - an object: options of a balancer;
 * - a dispatcher, which the caller has to close;
 * - a function that creates a dispatcher, which is closed together with the client.
 */
export type Upstream =
  | string
  | ReadonlyArray<string>
  | BalancerOptions
  | Dispatcher
  | (() => Dispatcher)

/** The dispatcher of an upstream. */
export interface ResolvedUpstream {
  /** Sends the requests. */
  dispatcher: Dispatcher
  /** Whether the caller of {@link resolveUpstream} has to close it; false when the upstream was a dispatcher. */
  owned: boolean
}

/**
 * Returns the dispatcher of an upstream and creates it if necessary.
 * @param options of the pool, or defaults for all members of the balancer.
 * @throws OptionError when the upstream is of no known kind, or an address or option is invalid.
 * @example
 * ```js
 * import { resolveUpstream } from '@fastcgi/client'
 *
 * const { dispatcher, owned } = resolveUpstream(['127.0.0.1:9001', '127.0.0.1:9002'], { retries: 1 })
 * console.log(owned) // true
 * await dispatcher.close()
 * ```
 */
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
  if (isList(upstream) && upstream.length === 0)
    throw new OptionError('option upstream is an empty list; name at least one address')
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
