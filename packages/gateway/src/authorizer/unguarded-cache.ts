// Answers from memory before a request is looked at any closer, where no guard could have a say.

import type { RouteCache } from '../cache/route-cache.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import type { GatewayResponse } from '../response/gateway-response.ts'
import { areThereGrants } from './granted-requests.ts'

/** The cache of a gateway with one route, without guards and without paths that are left to the framework. */
export class UnguardedCache<Source> {
  readonly #cache: RouteCache<Source> | undefined

  constructor(
    routes: ReadonlyArray<{ readonly cache: RouteCache<Source> | undefined }>,
    {
      guards = [],
      exclude = [],
    }: { guards?: readonly unknown[] | undefined; exclude?: readonly unknown[] | undefined },
  ) {
    if (routes.length === 1 && guards.length + exclude.length === 0) this.#cache = routes[0]?.cache
  }

  /** A stored response that needs no further checks; undefined also if there may be one that does. */
  hit(request: GatewayRequest<Source>): GatewayResponse | undefined {
    const isUnguarded = request.placedGuards === undefined && !areThereGrants()
    return isUnguarded ? this.#cache?.quickly(request) : undefined
  }
}
