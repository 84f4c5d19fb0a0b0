import type { Dispatcher } from './dispatcher.ts'
import { OptionError } from './errors.ts'
import type { PoolOptions } from './options.ts'
import { Pool } from './pool.ts'

/**
 * Where requests go: an address (see {@link parseAddress}), a dispatcher that somebody else closes, or a function that
 * makes a dispatcher, which is then closed together with whoever called it.
 */
export type Upstream = string | Dispatcher | (() => Dispatcher)

/** A dispatcher, and whether it is to be closed by the one who asked for it. */
export interface ResolvedUpstream {
  dispatcher: Dispatcher
  owned: boolean
}

/** Makes a dispatcher of an upstream. @throws OptionError when it is none of the known kinds. */
export function resolveUpstream(upstream: Upstream, options: PoolOptions): ResolvedUpstream {
  if (typeof upstream === 'string') return { dispatcher: new Pool(upstream, options), owned: true }
  if (typeof upstream === 'function') return { dispatcher: checked(upstream()), owned: true }
  return { dispatcher: checked(upstream), owned: false }
}

function checked(dispatcher: Dispatcher): Dispatcher {
  if (typeof dispatcher?.dispatch === 'function') return dispatcher
  throw new OptionError(
    `option upstream must be an address such as 'unix:/run/php/php-fpm.sock', a dispatcher, or a function that makes one; got ${typeof dispatcher}`,
  )
}
