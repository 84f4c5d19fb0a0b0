// The plugin fastcgiProxy: a gateway as Fastify routes, and reply.fastcgi().
import { OptionError } from '@fastcgi/client'
import {
  createGateway,
  type Env,
  type Gateway,
  type GatewayCache,
  type GatewayOptions,
} from '@fastcgi/gateway'
import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  RegisterOptions,
} from 'fastify'
import fp from 'fastify-plugin'
import { addProxyRoutes, preferLaterRoutes } from './proxy-routes.ts'
import { mountPathOf, respond, routedUrlOf } from './respond.ts'
import { passBodiesUnread, restoreContentType } from './unparsed-body.ts'

/** Options of {@link fastcgiProxy}: those of the gateway, and those of the plugin. */
export interface FastCGIProxyOptions extends GatewayOptions<FastifyRequest> {
  /** Path at which the application is mounted; SCRIPT_NAME includes it. @default '/' */
  prefix?: string | undefined
  /** Name by which {@link FastCGIReplyOptions.proxy} selects it. @default prefix */
  name?: string | undefined
  /** Register no routes, only `reply.fastcgi()`. @default false */
  replyOnly?: boolean | undefined
}

/** Options of `reply.fastcgi()`. */
export interface FastCGIReplyOptions {
  /** `name` or `prefix` of the proxy to use; required if several are registered. */
  proxy?: string | undefined
  /** Params of this request; they override all others. @default none */
  env?: Env | undefined
}

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * The cache of a proxy (option `cache`), for its counters and for purging; undefined if it has none.
     * @param proxy `name` or `prefix` of the proxy; required if several are registered.
     * @throws OptionError if several proxies are registered and none is selected, or the selected one does not exist.
     */
    fastcgiCache(proxy?: string): GatewayCache | undefined
  }
  interface FastifyReply {
    /**
     * Answers this request with the response of the FastCGI application.
     * @param path path of a script below `root`, optionally with a query. @default path and query of the request
     * @throws OptionError if several proxies are registered and none is selected, or the selected one does not exist.
     */
    fastcgi(path?: string, options?: FastCGIReplyOptions): FastifyReply
  }
}

const GATEWAYS: unique symbol = Symbol('fastcgi gateways')

/** The gateways of one Fastify scope, by name. */
type Gateways = Map<string, Gateway<FastifyRequest>>

const proxy: FastifyPluginAsync<FastCGIProxyOptions> = async (instance, given) => {
  const { prefix, name, replyOnly, ...rest } = given
  // The same object holds the options of register().
  const { logLevel, logSerializers, ...options } = rest as typeof rest & RegisterOptions
  const mount = (instance.prefix + (prefix ?? '')).replace(/\/$/, '')
  const gateway = createGateway<FastifyRequest>(options, 'fastcgiProxy', mount)
  instance.addHook('onClose', async () => {
    await gateway.close()
  })
  addToScope(instance, name ?? (instance.prefix + (prefix ?? '') || '/'), gateway)
  if (!replyOnly)
    await registerRoutes(instance, gateway, {
      prefix: prefix ?? '',
      ...(logLevel && { logLevel }),
      ...(logSerializers && { logSerializers }),
    })
}

/** Registers the routes of a proxy in a scope of their own. */
async function registerRoutes(
  instance: FastifyInstance,
  gateway: Gateway<FastifyRequest>,
  options: RegisterOptions,
): Promise<void> {
  await instance.register(async (scope) => {
    passBodiesUnread(scope)
    const prefix = scope.prefix.replace(/\/$/, '')
    const routes = addProxyRoutes(scope, (request, reply) => {
      restoreContentType(request)
      respond(gateway, request, reply, { mount: mountPathOf(routedUrlOf(request), prefix) })
    })
    preferLaterRoutes(instance, routes)
  }, options)
}

/** The gateways that have been registered in a scope; undefined if there are none. */
export function gatewaysOf(
  instance: FastifyInstance,
): Iterable<Gateway<FastifyRequest>> | undefined {
  return (instance as unknown as Partial<Record<typeof GATEWAYS, Gateways>>)[GATEWAYS]?.values()
}

/** Adds a gateway to its scope, and `reply.fastcgi()` with the first one. */
function addToScope(
  instance: FastifyInstance,
  name: string,
  gateway: Gateway<FastifyRequest>,
): void {
  if (!instance.hasReplyDecorator('fastcgi')) {
    const gateways: Gateways = new Map()
    instance.decorate(GATEWAYS, { getter: () => gateways })
    instance.decorate(
      'fastcgiCache',
      (proxy?: string) => selectGateway('fastcgiCache', gateways, proxy).cache,
    )
    instance.decorateReply('fastcgi', function fastcgi(this: FastifyReply, path, options = {}) {
      const { request } = this
      respond(selectGateway('reply.fastcgi', gateways, options.proxy), request, this, {
        mount: '',
        script: path,
        env: options.env,
        parsedBody: request.body,
      })
      return this
    })
  }
  const gateways = (instance as unknown as Record<typeof GATEWAYS, Gateways>)[GATEWAYS]
  if (gateways.has(name))
    throw new OptionError(
      `fastcgiProxy: two proxies are called ${name}; give one of them another name (option name)`,
    )
  gateways.set(name, gateway)
}

/** The gateway of that name; without a name, the only one. */
function selectGateway(
  where: string,
  gateways: Gateways,
  name: string | undefined,
): Gateway<FastifyRequest> {
  const [first, second] = gateways.values()
  const chosen =
    name === undefined ? (second === undefined ? first : undefined) : gateways.get(name)
  if (chosen !== undefined) return chosen
  const names = [...gateways.keys()].join(', ')
  throw new OptionError(
    `${where}: ${name === undefined ? 'several proxies are registered' : `no proxy is called ${name}`}; ` +
      `choose one of ${names} (option proxy)`,
  )
}

/**
 * Fastify plugin that runs the scripts below `root`: `app.register(fastcgiProxy, { prefix: '/shop', upstream, root })`. It
 * can be registered several times. Its routes have their own scope; `reply.fastcgi()` is available to the routes of the
 * scope that it is registered in.
 * @throws OptionError for an unknown option or an invalid value, when Fastify loads the plugin.
 * @example
 * ```js
 * import { fastcgiProxy } from '@fastcgi/fastify'
 * import Fastify from 'fastify'
 *
 * const app = Fastify()
 * app.register(fastcgiProxy, {
 *   prefix: '/shop',
 *   upstream: 'unix:/run/php/php-fpm.sock',
 *   root: '/var/www/site',
 * })
 * app.get('/report', (_request, reply) => reply.fastcgi('/report.php'))
 * await app.ready()
 * ```
 */
export const fastcgiProxy: FastifyPluginAsync<FastCGIProxyOptions> = fp(proxy, {
  fastify: '5.x',
  name: '@fastcgi/fastify',
})
