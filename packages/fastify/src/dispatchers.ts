// The dispatchers of a scope, for the status page and for metrics.
import type { Dispatcher } from '@fastcgi/client'
import { joinDispatchers } from '@fastcgi/gateway/internal'
import type { FastifyInstance } from 'fastify'
import { authorizersOf } from './authorizer.ts'
import { gatewaysOf } from './proxy.ts'

/**
 * The dispatchers of every fastcgiProxy and fastcgiAuthorizer that is registered in a scope: balancers by their name, pools by
 * their address.
 */
export function fastcgiDispatchers(instance: FastifyInstance): Record<string, Dispatcher> {
  return joinDispatchers([...(gatewaysOf(instance) ?? []), ...authorizersOf(instance)])
}
