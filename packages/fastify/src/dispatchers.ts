// The dispatchers and caches of a scope, for the status page and for metrics.
import type { Dispatcher } from '@fastcgi/client'
import type { GatewayCache } from '@fastcgi/gateway'
import { joinCaches, joinDispatchers } from '@fastcgi/gateway/internal'
import type { FastifyInstance } from 'fastify'
import { authorizersOf } from './authorizer.ts'
import { gatewaysOf } from './proxy.ts'

/**
 * The dispatchers of every fastcgiProxy and fastcgiAuthorizer that is registered in a scope: balancers by their name, pools by
 * their address.
 * @example
 * ```js
 * import { fastcgiDispatchers, fastcgiProxy } from '@fastcgi/fastify'
 * import Fastify from 'fastify'
 *
 * const app = Fastify()
 * await app.register(fastcgiProxy, { upstream: 'unix:/run/php/php-fpm.sock', root: '/var/www/site' })
 * for (const { stats } of Object.values(fastcgiDispatchers(app))) console.log(stats.requests) // 0
 * await app.close()
 * ```
 */
export function fastcgiDispatchers(instance: FastifyInstance): Record<string, Dispatcher> {
  return joinDispatchers([...(gatewaysOf(instance) ?? []), ...authorizersOf(instance)])
}

/**
 * The caches of every fastcgiProxy with the option `cache` that is registered in a scope, each by the name of its first
 * dispatcher.
 * @example
 * ```js
 * import { fastcgiCaches, fastcgiProxy } from '@fastcgi/fastify'
 * import Fastify from 'fastify'
 *
 * const app = Fastify()
 * await app.register(fastcgiProxy, {
 *   upstream: 'unix:/run/php/php-fpm.sock',
 *   root: '/var/www/site',
 *   cache: true,
 * })
 * for (const cache of Object.values(fastcgiCaches(app))) await cache.purge({ tags: ['news'] })
 * await app.close()
 * ```
 */
export function fastcgiCaches(instance: FastifyInstance): Record<string, GatewayCache> {
  return joinCaches(gatewaysOf(instance) ?? [])
}
