import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  fastcgiAuthorizer as expressAuthorizer,
  fastcgiProxy as expressProxy,
} from '@fastcgi/express'
import { fastcgiAuthorizer, fastcgiProxy } from '@fastcgi/fastify'
import {
  type AuthorizerOptions,
  createAuthorizer,
  createGateway,
  type GatewayCache,
  type GatewayOptions,
  variablesOfRequest,
} from '@fastcgi/gateway'
import express, { type Express } from 'express'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import { ON_WASM } from './php-on-wasm.ts'

/** The three faces of the gateway. */
export const ADAPTERS = ['fastify', 'express', 'http'] as const
export type AdapterName = (typeof ADAPTERS)[number]

export interface AdapterOptions extends Omit<GatewayOptions<unknown>, 'guards'> {
  /** Mount point; node:http has none and is mounted at ''. */
  prefix?: string
  /** More for the framework before the proxy is added. */
  fastify?: (app: FastifyInstance) => void | Promise<void>
  fastifyOptions?: FastifyServerOptions
  express?: (app: Express) => void
  trustProxy?: boolean
  /** The option `guards` of the proxy. */
  proxyGuards?: GatewayOptions<unknown>['guards']
  /** Guards in front of everything that follows. */
  guards?: ReadonlyArray<AuthorizerOptions<unknown>> | undefined
  /** Answers `/node`. */
  node?: NodeRoute | undefined
}

/** A handler of node:http, and what guards have said of the request, as the framework gives it. */
export type NodeRoute = (
  req: IncomingMessage,
  res: ServerResponse,
  variables: Readonly<Record<string, string>> | undefined,
) => void

/** A server under test. */
export interface RunningAdapter {
  name: AdapterName
  port: number
  url: string
  server: Server
  /** The cache of the proxy, with the option `cache`. */
  cache: GatewayCache | undefined
  /** Lines the gateway reported. */
  log: string[]
  close(): Promise<void>
}

/** Starts one adapter on a free loopback port; it is closed with the test. */
export async function startAdapter(
  t: Test,
  name: AdapterName,
  options: AdapterOptions,
): Promise<RunningAdapter> {
  const log: string[] = []
  const keep = (_details: object, message: string): void => void log.push(message)
  const logger = { info: keep, warn: keep, error: keep }
  const started = await STARTERS[name](options, logger)
  const { port } = started.server.address() as AddressInfo
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => (closed ??= started.close())
  t.teardown(close)
  const { server, cache } = started
  return { name, port, url: `http://127.0.0.1:${port}`, server, cache, log, close }
}

/** Runs the same test once per adapter; that PHP is another one makes no difference to them. */
export async function eachAdapter(
  t: Test,
  name: string,
  run: (t: Test, adapter: AdapterName) => Promise<void>,
): Promise<void> {
  for (const adapter of ON_WASM ? (['http'] as const) : ADAPTERS)
    await t.test(`${name} (${adapter})`, (t) => run(t, adapter))
}

type Logger = NonNullable<GatewayOptions['logger']>
type Started = { server: Server; cache: GatewayCache | undefined; close(): Promise<void> }

const STARTERS: Record<AdapterName, (o: AdapterOptions, logger: Logger) => Promise<Started>> = {
  async fastify(options, logger) {
    const {
      prefix,
      fastify,
      fastifyOptions,
      express: _,
      trustProxy,
      guards,
      proxyGuards,
      node,
      ...rest
    } = options
    const app = Fastify({ ...fastifyOptions, trustProxy: trustProxy ?? false })
    if (guards !== undefined) {
      const list = guards.map((guard) => ({ logger, ...guard }))
      // With docroot the plugin makes a scope of its own, and here all is to be guarded.
      const hook = guards.every(({ docroot }) => docroot === undefined)
      await app.register(fastcgiAuthorizer, hook ? { guards: list } : { hook })
      if (!hook) app.addHook('onRequest', app.fastcgiAuthorizer(list))
    }
    await fastify?.(app)
    if (node !== undefined)
      app.all('/node', (request, reply) => {
        reply.hijack()
        node(request.raw, reply.raw, request.fastcgi?.variables)
      })
    await app.register(fastcgiProxy, {
      ...rest,
      guards: proxyGuards,
      logger,
      ...(prefix && { prefix }),
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    return { server: app.server, cache: app.fastcgiCache(), close: () => app.close() }
  },
  async express(options, logger) {
    const { prefix, fastify: _, fastifyOptions: __, express: extend, trustProxy, ...more } = options
    const { guards, proxyGuards, node, ...rest } = more
    const app = express()
    app.set('env', 'production').disable('x-powered-by')
    if (trustProxy) app.set('trust proxy', true)
    const guard = guards && expressAuthorizer(guards.map((guard) => ({ logger, ...guard })))
    if (guard !== undefined) app.use(guard)
    extend?.(app)
    if (node !== undefined) app.all('/node', (req, res) => node(req, res, req.fastcgi?.variables))
    const proxy = expressProxy({ ...rest, guards: proxyGuards, logger })
    app.use(prefix ?? '/', proxy)
    return listen(createServer(app), proxy.cache, async () => {
      await guard?.close()
      await proxy.close()
    })
  },
  async http(options, logger) {
    const {
      prefix: _,
      fastify: __,
      fastifyOptions: ___,
      express: ____,
      trustProxy: _____,
      guards,
      proxyGuards,
      node,
      ...rest
    } = options
    const gateway = createGateway({ ...rest, guards: proxyGuards, logger })
    const guard = guards && createAuthorizer(guards.map((guard) => ({ logger, ...guard })))
    const behind = (req: IncomingMessage, res: ServerResponse): void => {
      if (node !== undefined && /^\/node(?![^?])/.test(req.url ?? ''))
        node(req, res, variablesOfRequest(req).variables)
      else gateway.handler(req, res)
    }
    const handler = (req: IncomingMessage, res: ServerResponse): void =>
      guard === undefined ? behind(req, res) : guard.handler(req, res, () => behind(req, res))
    return listen(createServer(handler), gateway.cache, async () => {
      await guard?.close()
      await gateway.close()
    })
  },
}

async function listen(
  server: Server,
  cache: GatewayCache | undefined,
  closeProxy: () => Promise<void>,
): Promise<Started> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await closeProxy()
  }
  return { server, cache, close }
}
