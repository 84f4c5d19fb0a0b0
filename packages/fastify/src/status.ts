import { OptionError } from '@fastcgi/client'
import { createStatus, type StatusOptions } from '@fastcgi/gateway'
import { FORM_LIMIT, joinDispatchers } from '@fastcgi/gateway/internal'
import type { FastifyPluginAsync, RegisterOptions, RouteHandlerMethod } from 'fastify'
import { authorizersOf } from './authorizer.ts'
import { gatewaysOf } from './proxy.ts'
import { setReplyFields } from './respond.ts'

/** Options of {@link fastcgiStatus}: those of the status and Fastify's own. */
export interface FastCGIStatusOptions extends Omit<StatusOptions, 'dispatchers'> {
  /** Path below the prefix. @default '/' */
  path?: string | undefined
  /** What to show, by name. @default those of every fastcgiProxy and fastcgiAuthorizer in the scope */
  dispatchers?: StatusOptions['dispatchers'] | undefined
}

/**
 * Fastify plugin that shows how balancers and pools fare: `app.register(fastcgiStatus, { prefix: '/fastcgi-status' })`.
 * It asks nobody who he is: register it in a scope whose hooks do.
 * @throws OptionError for options that cannot be, when Fastify loads it.
 */
export const fastcgiStatus: FastifyPluginAsync<FastCGIStatusOptions> = async (scope, given) => {
  // register() takes options of its own in the same object.
  const { path, logLevel, logSerializers, prefix, ...options } = given as FastCGIStatusOptions &
    RegisterOptions
  const found = () => joinDispatchers([...(gatewaysOf(scope) ?? []), ...authorizersOf(scope)])
  const status = createStatus(
    { ...options, dispatchers: options.dispatchers ?? found },
    'fastcgiStatus',
  )
  if (options.dispatchers === undefined)
    scope.addHook('onReady', async () => {
      if (Object.keys(found()).length === 0)
        throw new OptionError(
          'fastcgiStatus: neither fastcgiProxy nor fastcgiAuthorizer is registered in this scope; say what to show (option dispatchers)',
        )
    })

  const handler: RouteHandlerMethod = async (request, reply) => {
    const { method, headers, body, protocol, host, originalUrl } = request
    const url = host === '' ? originalUrl : `${protocol}://${host}${originalUrl}`
    const response = status.respond({ method, url, headers, body })
    setReplyFields(reply.code(response.status), response.headers)
    return reply.send(response.body)
  }
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser(
    '*',
    { parseAs: 'string', bodyLimit: FORM_LIMIT },
    (_request, body, done) => done(null, body),
  )
  const method = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
  scope.route({ method, url: path ?? '/', handler, exposeHeadRoute: false })
}
