/** What one request costs, in figures that do not depend on the machine. The servers run in a process of their own. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, createServer, request as httpRequest, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { fastcgiProxy as expressProxy } from '@fastcgi/express'
import { fastcgiProxy } from '@fastcgi/fastify'
import { createGateway, type GatewayOptions } from '@fastcgi/gateway'
import express from 'express'
import fastify from 'fastify'
import { CodeCount } from './code-count.ts'
import { within } from './wait.ts'

/** Servers that answer by themselves, and those that ask the application. */
export type ServerName =
  | 'bare-http'
  | 'bare-fastify'
  | 'bare-express'
  | 'http'
  | 'fastify'
  | 'express'

/** Per request. */
export interface Cost {
  /** Code of our packages that is run, in characters. */
  ours: number
  /** Code of Node.js, of the framework and of other packages that is run, in characters. */
  others: number
  /** Memory that is taken, on the heap and beside it, in bytes. */
  bytes: number
}

const REQUESTS = 100
/** What happens now and then, such as a timer or a table that grows, does not fall into all of them. */
const BATCHES = 3
const WARM_UP = 50
/** Milliseconds. Nothing is optimized in there, and the machine may be busy. */
const PATIENCE = 60_000

/** The process with the servers; end it with {@link stop}. */
export class HotPath {
  readonly #child: ChildProcess
  readonly #ports: Record<string, number>

  private constructor(child: ChildProcess, ports: Record<string, number>) {
    this.#child = child
    this.#ports = ports
  }

  static async start(options: GatewayOptions): Promise<HotPath> {
    const child = fork(fileURLToPath(import.meta.url), ['hot-path', JSON.stringify(options)], {
      // What is optimized, and when, is chance; so is when garbage is collected.
      execArgv: [
        '--no-opt',
        '--no-maglev',
        '--expose-gc',
        '--max-semi-space-size=256',
        '--min-semi-space-size=256',
      ],
      env: { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '' },
    })
    const [ports] = await within('the servers', once(child, 'message'), PATIENCE)
    return new HotPath(child, ports)
  }

  /** The least that a request cost. */
  async measure(server: ServerName, body?: Buffer): Promise<Cost> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const port = this.#ports[server] ?? 0
    const askMany = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) await ask(port, agent, body)
    }
    await askMany(WARM_UP)
    const costs: Cost[] = []
    while (costs.length < BATCHES) {
      await this.#tell('begin')
      await askMany(REQUESTS)
      costs.push(await this.#tell('end'))
    }
    agent.destroy()
    const least = (figure: keyof Cost): number => Math.min(...costs.map((cost) => cost[figure]))
    return { ours: least('ours'), others: least('others'), bytes: least('bytes') }
  }

  async stop(): Promise<void> {
    this.#child.disconnect()
    await within('the process to end', once(this.#child, 'exit'), PATIENCE)
  }

  async #tell(message: 'begin' | 'end'): Promise<Cost> {
    const answer = within('an answer', once(this.#child, 'message'), PATIENCE)
    this.#child.send(message)
    return (await answer)[0]
  }
}

function ask(port: number, agent: Agent, body: Buffer | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST'
    const headers = {
      ...{ 'user-agent': 'hot-path/1', accept: '*/*', cookie: 'a=b', 'accept-language': 'en' },
      ...(body && { 'content-length': body.length, 'content-type': 'text/plain' }),
    }
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      path: '/index.php?q=1',
      method,
      agent,
      headers,
    })
    request.on('error', reject).on('response', (response) => {
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`))
      response.resume().on('end', resolve)
    })
    request.end(body)
  })
}

// ---- in the other process

const BODY = Buffer.alloc(1024, 'x')

async function makeServers(options: GatewayOptions): Promise<Record<ServerName, Server>> {
  const bareFastify = fastify()
  bareFastify.get('/*', (_request, reply) => reply.header('content-type', 'text/plain').send(BODY))
  bareFastify.post('/*', (_request, reply) => reply.header('content-type', 'text/plain').send(BODY))
  const ourFastify = fastify()
  await ourFastify.register(fastcgiProxy, options as object)
  await Promise.all([bareFastify.ready(), ourFastify.ready()])
  const bareExpress = express().set('etag', false)
  bareExpress.use((_req, res) => {
    res.set('content-type', 'text/plain').send(BODY)
  })
  return {
    'bare-http': createServer((req, res) => {
      req.resume()
      res.writeHead(200, { 'content-type': 'text/plain', 'content-length': BODY.length })
      res.end(BODY)
    }),
    'bare-fastify': bareFastify.server,
    'bare-express': createServer(bareExpress),
    http: createServer(createGateway(options).handler),
    fastify: ourFastify.server,
    express: createServer(express().use(expressProxy(options as object))),
  }
}

async function serve(options: GatewayOptions): Promise<void> {
  const ports: Record<string, number> = {}
  for (const [name, server] of Object.entries(await makeServers(options))) {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    ports[name] = (server.address() as AddressInfo).port
  }
  const code = new CodeCount()
  await code.start()
  let before = 0
  process.on('message', async (message) => {
    const memory = allocated()
    const counts = await code.take()
    process.send?.(message === 'end' ? costOf(counts, memory - before) : {})
    global.gc?.()
    before = allocated()
  })
  process.on('disconnect', () => process.exit())
  process.send?.(ports)
}

function allocated(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

function costOf(counts: ReadonlyMap<string, number>, bytes: number): Cost {
  const here = import.meta.url.replace(/[^/]*$/, '')
  const sum = (wanted: (url: string) => boolean): number => {
    const scripts = [...counts].filter(([url]) => !url.startsWith(here) && wanted(url))
    return Math.round(scripts.reduce((total, [, count]) => total + count, 0) / REQUESTS)
  }
  const ours = /\/packages\/\w+\/dist\//
  return {
    ours: sum((url) => ours.test(url)),
    others: sum((url) => !ours.test(url)),
    bytes: Math.round(bytes / REQUESTS),
  }
}

if (process.argv[2] === 'hot-path') await serve(JSON.parse(process.argv[3] ?? '{}'))
