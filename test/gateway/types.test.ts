/** The public types, as users of the packages see them. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type FastCGIError, Pool } from '@fastcgi/client'
import {
  type ExpressRequest,
  fastcgiProxy as expressProxy,
  type FastCGIMiddleware,
} from '@fastcgi/express'
import { type FastCGIProxyOptions, type FastCGIReplyOptions, fastcgiProxy } from '@fastcgi/fastify'
import {
  createGateway,
  type Env,
  type Gateway,
  GatewayError,
  type GatewayOptions,
  type RouteMatch,
} from '@fastcgi/gateway'
import { expectTypeOf } from 'expect-type'
import express, { type Express, type RequestHandler } from 'express'
import Fastify, {
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import t from 'tap'

const upstream = '127.0.0.1:9'

t.test('options of the gateway', (t) => {
  expectTypeOf({ upstream, root: '/' }).toExtend<GatewayOptions>()
  expectTypeOf({ upstream: () => new Pool(upstream) }).toExtend<GatewayOptions>()
  expectTypeOf({ upstream: new Pool(upstream) }).toExtend<GatewayOptions>()
  expectTypeOf({ env: { A: '1', B: 2, C: null, D: undefined } }).toExtend<GatewayOptions>()
  expectTypeOf({ routes: [{ match: '.php' }] }).toExtend<GatewayOptions>()
  expectTypeOf({
    timeouts: { head: 5 },
    maxConnections: 'auto' as const,
  }).toExtend<GatewayOptions>()
  expectTypeOf({ root: 5 }).not.toExtend<GatewayOptions>()
  expectTypeOf({ pathInfo: 'lazy' }).not.toExtend<GatewayOptions>()
  expectTypeOf({ env: { A: true } }).not.toExtend<GatewayOptions>()
  expectTypeOf({ env: async () => ({}) }).not.toExtend<GatewayOptions>()
  expectTypeOf({ routes: [{ root: '/' }] }).not.toExtend<GatewayOptions>()
  expectTypeOf<Parameters<Extract<GatewayOptions['env'], CallableFunction>>>().toEqualTypeOf<
    [IncomingMessage]
  >()
  expectTypeOf<RouteMatch['match']>().toEqualTypeOf<string | RegExp>()
  // @ts-expect-error: there is no such option
  t.throws(() => createGateway({ upstream, root: '/', docroot: '/' }))
  t.end()
})

t.test('the gateway', async () => {
  const gateway = createGateway({ upstream, root: '/' })
  expectTypeOf(gateway).toEqualTypeOf<Gateway<IncomingMessage>>()
  expectTypeOf(gateway.handler).toBeCallableWith({} as IncomingMessage, {} as ServerResponse)
  createServer(gateway.handler)
  expectTypeOf(gateway.close).returns.toEqualTypeOf<Promise<void>>()
  expectTypeOf<GatewayError>().toExtend<Error>()
  expectTypeOf<GatewayError['statusCode']>().toEqualTypeOf<number>()
  expectTypeOf<GatewayError['code']>().toEqualTypeOf<string>()
  expectTypeOf(GatewayError).toBeConstructibleWith({} as FastCGIError)
  await gateway.close()
})

t.test('Fastify', async (t) => {
  expectTypeOf(fastcgiProxy).toEqualTypeOf<FastifyPluginAsync<FastCGIProxyOptions>>()
  expectTypeOf<Parameters<Extract<FastCGIProxyOptions['env'], CallableFunction>>>().toEqualTypeOf<
    [FastifyRequest]
  >()
  expectTypeOf<FastifyReply['fastcgi']>().toEqualTypeOf<
    (path?: string, options?: FastCGIReplyOptions) => FastifyReply
  >()
  expectTypeOf<FastCGIReplyOptions['env']>().toEqualTypeOf<Env | undefined>()
  const app: FastifyInstance = Fastify()
  app.register(fastcgiProxy, { prefix: '/x', upstream, root: '/', name: 'x', replyOnly: true })
  app.register(fastcgiProxy, {
    upstream,
    root: '/',
    replyOnly: true,
    logLevel: 'warn',
    env: (request) => {
      expectTypeOf(request).toEqualTypeOf<FastifyRequest>()
      return { REMOTE_USER: request.id }
    },
  })
  app.get('/r', (_request, reply) => reply.fastcgi('/r.php', { proxy: 'x', env: { A: 1 } }))
  await app.ready()
  await app.close()
  t.pass('it is loaded')
})

t.test('Express', async (t) => {
  const middleware = expressProxy({
    upstream,
    root: '/',
    env: (request) => {
      expectTypeOf(request).toEqualTypeOf<ExpressRequest>()
      return { REMOTE_USER: request.ip }
    },
  })
  expectTypeOf(middleware).toEqualTypeOf<FastCGIMiddleware>()
  expectTypeOf<FastCGIMiddleware>().toExtend<RequestHandler>()
  expectTypeOf(middleware.close).returns.toEqualTypeOf<Promise<void>>()
  const app: Express = express()
  app.use(middleware).use('/x', middleware).get('/y', middleware)
  express.Router().use(middleware)
  const handler: RequestHandler = middleware
  createServer((req, res) => middleware(req, res, () => res.end()))
  // @ts-expect-error: that is Fastify's
  t.throws(() => expressProxy({ upstream, root: '/', prefix: '/x' }), /unknown option prefix/)
  t.type(handler, 'function')
  await middleware.close()
})
