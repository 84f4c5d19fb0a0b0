/**
 * Runs one of the Node servers that are compared: `node serve.js KIND PORT UPSTREAM ROOT OPTIONS`, with additional gateway
 * options as JSON. On the message 'memory' from its parent it collects garbage and answers with process.memoryUsage().
 */
import { createServer, type RequestListener } from 'node:http'
import { MemoryCacheStore } from '@fastcgi/cache'
import { fastcgiProxy as expressProxy } from '@fastcgi/express'
import fastcgiProxy from '@fastcgi/fastify'
import { createGateway } from '@fastcgi/gateway'
import httpProxy from '@fastify/http-proxy'
import fastifyStatic from '@fastify/static'
import express from 'express'
import fastify, { type FastifyInstance } from 'fastify'
import send from 'send'

const [kind = '', port = '', upstream = '', root = '', more = '{}'] = process.argv.slice(2)
const options = { upstream, root, ...JSON.parse(more) }
const BODY = Buffer.alloc(1024, 'x')
const CACHE = {
  valid: { 200: 86_400_000 },
  store: new MemoryCacheStore({ maxSize: 1_073_741_824 }),
}

/** Servers by kind. Those called bare answer themselves, which is the lower bound for a gateway in Node. */
const KINDS: Record<string, () => void | Promise<void>> = {
  'bare-http': () =>
    listen((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/plain', 'content-length': BODY.length })
      res.end(BODY)
    }),
  http: () => listen(createGateway(options).handler),
  // With a cache, whatever the application says.
  'http-cached': () => listen(createGateway({ ...options, cache: CACHE }).handler),
  'fastify-cached': () =>
    start(async (app) => {
      await app.register(fastcgiProxy, { ...options, cache: CACHE })
    }),
  'express-cached': () => {
    const app = express().disable('x-powered-by')
    app.use(expressProxy({ ...options, cache: CACHE }))
    listen(app)
  },
  // With multiplexing: many requests on few connections, for applications that support it.
  'http-multiplexed': () =>
    listen(createGateway({ ...options, multiplex: true, maxConnections: 4 }).handler),
  'bare-fastify': () =>
    start(async (app) => {
      app.get('/*', (_request, reply) => reply.header('content-type', 'text/plain').send(BODY))
    }),
  fastify: () =>
    start(async (app) => {
      await app.register(fastcgiProxy, options)
    }),
  // The alternative without this project: Fastify as a proxy of a web server that speaks FastCGI, whose URL is UPSTREAM.
  'http-proxy': () =>
    start(async (app) => {
      await app.register(httpProxy, { upstream })
    }),
  'bare-express': () => {
    const app = express().disable('x-powered-by').set('etag', false)
    app.get('/*path', (_req, res) => {
      res.set('content-type', 'text/plain').send(BODY)
    })
    listen(app)
  },
  express: () => {
    const app = express().disable('x-powered-by')
    app.use(expressProxy(options))
    listen(app)
  },
  // The usual ways to send static files.
  '@fastify/static': () =>
    start(async (app) => {
      await app.register(fastifyStatic, { root })
    }),
  send: () =>
    listen((req, res) => {
      send(req, req.url ?? '/', { root }).pipe(res)
    }),
  // PHP inside Node, if it has been installed manually, see README.md.
  'php-node': async () => {
    const name = process.env.PHP_NODE ?? '@platformatic/php-node'
    const { Php, Request } = await import(name)
    const php = new Php({ docroot: root })
    listen(async (req, res) => {
      const { method, url } = req
      const request = new Request({ method, url: `http://127.0.0.1:${port}${url}` })
      const { status, headers, body } = await php.handleRequest(request)
      res.writeHead(status, { 'content-type': headers.get('content-type') ?? 'text/html' })
      res.end(body)
    })
  },
}

function listen(listener: RequestListener): void {
  createServer({ keepAliveTimeout: 0 }, listener).listen(Number(port), '127.0.0.1', 4096)
}

async function start(build: (app: FastifyInstance) => Promise<void>): Promise<void> {
  const app = fastify({ keepAliveTimeout: 0 })
  await build(app)
  await app.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 })
}

process.on('message', () => {
  global.gc?.()
  process.send?.(process.memoryUsage())
})
// Ends with its parent.
process.on('disconnect', () => process.exit())

const serve = KINDS[kind]
if (serve === undefined) throw new Error(`there are ${Object.keys(KINDS).join(', ')}`)
await serve()
