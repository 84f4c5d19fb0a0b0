import { METHODS } from 'node:http'
import { OptionError } from '@fastcgi/client'
import { createGateway, type Env, type Gateway, type GatewayOptions } from '@fastcgi/gateway'
import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  RegisterOptions,
  RouteHandlerMethod,
} from 'fastify'
import fp from 'fastify-plugin'
import { mountIn, respond } from './respond.ts'

/** Options of {@link fastcgiProxy}: those of the gateway and Fastify's own. */
export interface FastCGIProxyOptions extends GatewayOptions<FastifyRequest> {
  /** Path the application is mounted at; it stays in SCRIPT_NAME. @default '/' */
  prefix?: string | undefined
  /** Name by which {@link FastCGIReplyOptions.proxy} finds it. @default prefix */
  name?: string | undefined
  /** Register no routes: only `reply.fastcgi()` is wanted. @default false */
  replyOnly?: boolean | undefined
}

/** Options of `reply.fastcgi()`. */
export interface FastCGIReplyOptions {
  /** Which proxy is to answer, where several are registered: its `name`, or its `prefix`. */
  proxy?: string | undefined
  /** Params for this request alone; they win over everything. */
  env?: Env | undefined
}

declare module 'fastify' {
  interface FastifyReply {
    /**
     * Has the FastCGI application answer this request.
     * @param path script below `root`, with its query if it has one; by default the request's own path.
     */
    fastcgi(path?: string, options?: FastCGIReplyOptions): FastifyReply
  }
}

const GATEWAYS: unique symbol = Symbol('fastcgi gateways')

/** The gateways of one Fastify scope, by name. */
type Gateways = Map<string, Gateway<FastifyRequest>>

const proxy: FastifyPluginAsync<FastCGIProxyOptions> = async (instance, given) => {
  const { prefix, name, replyOnly, ...rest } = given
  // register() takes options of its own in the same object.
  const { logLevel, logSerializers, ...options } = rest as typeof rest & RegisterOptions
  const gateway = createGateway<FastifyRequest>(options, 'fastcgiProxy')
  instance.addHook('onClose', async () => {
    await gateway.close()
  })
  addToScope(instance, name ?? (instance.prefix + (prefix ?? '') || '/'), gateway)
  if (!replyOnly)
    await instance.register(routes(gateway), {
      prefix: prefix ?? '',
      ...(logLevel && { logLevel }),
      ...(logSerializers && { logSerializers }),
    })
}

/** All paths below the prefix, in a scope of their own: its content type parser leaves bodies as they are. */
function routes(gateway: Gateway<FastifyRequest>): FastifyPluginAsync {
  return async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    const prefix = scope.prefix.replace(/\/$/, '')
    const handler: RouteHandlerMethod = (request, reply) =>
      respond(gateway, request, reply, { mount: mountIn(request.raw.url ?? '', prefix) })
    // Those of WebDAV and others Fastify has to be told of; the application is to see whatever Express would pass on.
    for (const unknown of METHODS.filter((name) => !scope.supportedMethods.includes(name)))
      if (unknown !== 'CONNECT') scope.addHttpMethod(unknown, { hasBody: true })
    const method = scope.supportedMethods
    scope.route({ method, url: '/', handler, exposeHeadRoute: false })
    scope.route({ method, url: '/*', handler, exposeHeadRoute: false })
  }
}

/** The gateways a scope has so far; undefined without any. */
export function gatewaysOf(
  instance: FastifyInstance,
): Iterable<Gateway<FastifyRequest>> | undefined {
  return (instance as unknown as Partial<Record<typeof GATEWAYS, Gateways>>)[GATEWAYS]?.values()
}

function addToScope(
  instance: FastifyInstance,
  name: string,
  gateway: Gateway<FastifyRequest>,
): void {
  if (!instance.hasReplyDecorator('fastcgi')) {
    const gateways: Gateways = new Map()
    instance.decorate(GATEWAYS, { getter: () => gateways })
    instance.decorateReply('fastcgi', function fastcgi(this: FastifyReply, path, options = {}) {
      const { request } = this
      respond(choose(gateways, options.proxy), request, this, {
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

function choose(gateways: Gateways, name: string | undefined): Gateway<FastifyRequest> {
  const [first, second] = gateways.values()
  const chosen =
    name === undefined ? (second === undefined ? first : undefined) : gateways.get(name)
  if (chosen !== undefined) return chosen
  const names = [...gateways.keys()].join(', ')
  throw new OptionError(
    `reply.fastcgi: ${name === undefined ? 'several proxies are registered' : `no proxy is called ${name}`}; ` +
      `choose one of ${names} (option proxy)`,
  )
}

/**
 * Fastify plugin that runs the scripts below `root`:
 * `app.register(fastcgiProxy, { prefix: '/shop', upstream, root })`. May be registered several times. Its routes live in a
 * scope of their own; `reply.fastcgi()` is there for the routes of the scope it is registered in.
 * @throws OptionError for options that cannot be, when Fastify loads it.
 */
export const fastcgiProxy: FastifyPluginAsync<FastCGIProxyOptions> = fp(proxy, {
  fastify: '5.x',
  name: '@fastcgi/fastify',
})
