// The plugin fastcgiStatus: the status page as Fastify routes.
import { OptionError } from '@fastcgi/client'
import { createStatus, type StatusOptions } from '@fastcgi/gateway'
import { FORM_LIMIT } from '@fastcgi/gateway/internal'
import type {
  FastifyPluginAsync,
  FastifyRequest,
  RegisterOptions,
  RouteHandlerMethod,
} from 'fastify'
import { fastcgiCaches, fastcgiDispatchers } from './dispatchers.ts'
import { setReplyFields } from './respond.ts'

/** Options of {@link fastcgiStatus}: those of the status page, and those of the plugin. */
export interface FastCGIStatusOptions extends Omit<StatusOptions<FastifyRequest>, 'dispatchers'> {
  /** Path of the page below the prefix. @default '/' */
  path?: string | undefined
  /** Dispatchers to show, by name. @default those of every fastcgiProxy and fastcgiAuthorizer in the scope */
  dispatchers?: StatusOptions['dispatchers'] | undefined
}

/**
 * Fastify plugin that shows the state of balancers and pools: `app.register(fastcgiStatus, { prefix: '/fastcgi-status' })`.
 * It does not authenticate clients: register it in a scope with a hook that does. Without the option `actions` it changes
 * nothing.
 * @throws OptionError for an unknown option or an invalid value, when Fastify loads the plugin.
 * @example
 * ```js
 * import { fastcgiProxy, fastcgiStatus } from '@fastcgi/fastify'
 * import Fastify from 'fastify'
 *
 * const app = Fastify()
 * app.register(fastcgiProxy, { upstream: 'unix:/run/php/php-fpm.sock', root: '/var/www/site' })
 * app.register(fastcgiStatus, { prefix: '/status' })
 * await app.ready()
 * ```
 */
export const fastcgiStatus: FastifyPluginAsync<FastCGIStatusOptions> = async (scope, given) => {
  // The same object holds the options of register().
  const { path, logLevel, logSerializers, prefix, ...options } = given as FastCGIStatusOptions &
    RegisterOptions
  const caches = () => fastcgiCaches(scope)
  const found = () => fastcgiDispatchers(scope)
  const status = createStatus<FastifyRequest>(
    {
      ...options,
      dispatchers: options.dispatchers ?? found,
      caches: options.caches ?? (options.dispatchers === undefined ? caches : {}),
    },
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
    const response = status.respond({ method, url, headers, body }, request)
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
