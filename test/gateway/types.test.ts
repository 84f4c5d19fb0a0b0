/** The public types, as users of the packages see them. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type FastCGIError, Pool } from '@fastcgi/client'
import type * as ExpressTypes from '@fastcgi/express'
import {
  type FastCGIProxyOptions as ExpressProxyOptions,
  fastcgiAuthorizer as expressAuthorizer,
  fastcgiProxy as expressProxy,
  fastcgiStatus as expressStatus,
  type FastCGIMiddleware,
} from '@fastcgi/express'
import type * as FastifyTypes from '@fastcgi/fastify'
import { type FastCGIProxyOptions, type FastCGIReplyOptions, fastcgiProxy } from '@fastcgi/fastify'
import {
  createGateway,
  type Env,
  type Gateway,
  GatewayError,
  type GatewayOptions,
  type RequestVariables,
  type RouteMatch,
} from '@fastcgi/gateway'
import { expectTypeOf } from 'expect-type'
import express, { type Request, type RequestHandler } from 'express'
import Fastify, {
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import t from 'tap'

declare global {
  namespace Express {
    interface Request {
      staff?: { name: string }
    }
  }
}

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
      expectTypeOf(request).toEqualTypeOf<Request>()
      return { REMOTE_USER: request.staff?.name, HTTP_X_FORM: request.get('X-Form') }
    },
    cache: {
      key: (request) => request.path,
      bypass: ({ staff }) => staff !== undefined,
      noStore: (request, { status }) => status === 404 && request.staff === undefined,
      tags: ({ hostname }) => [hostname],
      allowPurge: ({ staff }) => staff?.name === 'root',
    },
  })
  expectTypeOf(middleware).toEqualTypeOf<FastCGIMiddleware>()
  expectTypeOf<FastCGIMiddleware>().toExtend<RequestHandler>()
  expectTypeOf(middleware.close).returns.toEqualTypeOf<Promise<void>>()
  const app = express()
  app.use(middleware).use('/x', middleware).get('/y', middleware)
  express.Router().use(middleware)
  const handler: RequestHandler = middleware
  createServer((req, res) => middleware(req, res, () => res.end()))
  // @ts-expect-error: that is Fastify's
  t.throws(() => expressProxy({ upstream, root: '/', prefix: '/x' }), /unknown option prefix/)
  t.type(handler, 'function')
  await middleware.close()
})

t.test('guards and the status page of Express', async (t) => {
  const guard = expressAuthorizer([
    { upstream, match: '/a/', cache: { key: (request) => request.get('Cookie') } },
    { upstream, env: ({ staff }) => ({ STAFF: staff?.name }) },
  ])
  const app = express().use(guard)
  app.get('/', (req) => {
    expectTypeOf(req.fastcgi).toExtend<RequestVariables>()
    expectTypeOf(req.fastcgi.variables.USER).toEqualTypeOf<string | undefined>()
  })
  app.use(expressStatus({ dispatchers: guard, actions: ({ staff }) => staff?.name === 'root' }))
  await guard.close()
  t.pass('compiled')
})

t.test('requests of other types', async (t) => {
  interface StaffRequest extends Request {
    shift: string
  }
  const env = (request: StaffRequest): Env => ({ SHIFT: request.shift })
  const options: ExpressProxyOptions<StaffRequest> = { upstream, root: '/', env }
  const proxies = [expressProxy({ upstream, root: '/', env }), expressProxy(options)]
  const connect = expressProxy<IncomingMessage>({
    upstream,
    root: '/',
    env: (request) => {
      expectTypeOf(request).toEqualTypeOf<IncomingMessage>()
      return {}
    },
  })
  for (const proxy of [...proxies, connect]) await proxy.close()
  t.pass('compiled')
})

t.test('both adapters export types of the same names', (t) => {
  expectTypeOf<ExpressTypes.FastCGIAuthorizerOptions>().toHaveProperty('upstream')
  expectTypeOf<FastifyTypes.FastCGIAuthorizerOptions>().toHaveProperty('upstream')
  expectTypeOf<ExpressTypes.FastCGIGuards>().not.toBeAny()
  expectTypeOf<FastifyTypes.FastCGIGuards>().not.toBeAny()
  expectTypeOf<ExpressTypes.FastCGIProxyOptions>().toHaveProperty('root')
  expectTypeOf<FastifyTypes.FastCGIProxyOptions>().toHaveProperty('root')
  expectTypeOf<ExpressTypes.FastCGIStatusOptions>().toHaveProperty('title')
  expectTypeOf<FastifyTypes.FastCGIStatusOptions>().toHaveProperty('title')
  expectTypeOf<ExpressTypes.CacheOptions<Request>>().toEqualTypeOf<
    FastifyTypes.CacheOptions<Request>
  >()
  t.end()
})
