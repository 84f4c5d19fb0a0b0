/** The ways to guard a part of a tree of files, each with a proxy beside the guard that would serve the tree to anybody. */
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createServer as createHttp2Server, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import {
  fastcgiAuthorizer as expressAuthorizer,
  fastcgiProxy as expressProxy,
} from '@fastcgi/express'
import { fastcgiAuthorizer, fastcgiProxy, fastcgiServerOptions } from '@fastcgi/fastify'
import { createGateway, type GatewayOptions } from '@fastcgi/gateway'
import express from 'express'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { NO } from './guarded.ts'
import { privateTree, SECRET } from './private-tree.ts'
import { eachRequest, endRecord, type Peer, response, startPeer } from './scripted-peer.ts'

/** Where the application and the guard are, and the options of the proxy. */
export interface Site {
  readonly guard: string
  readonly application: Peer
  readonly options: Partial<GatewayOptions<never>> & { upstream: string; root: string }
}

/** A server in front of a site. */
export interface StartedSite {
  readonly port: number
  /** Whether it speaks HTTP/2 without TLS. */
  readonly http2?: boolean
  close(): Promise<unknown>
}

type Starter = (site: Site) => Promise<StartedSite>

async function listen(handler: unknown, close: () => Promise<unknown>): Promise<StartedSite> {
  const server = createServer(handler as never)
  const port = await listening(server)
  return {
    port,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await close()
    },
  }
}

async function listening(server: Server | Http2Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** Fastify with a guard in a scope, and a proxy for all paths. */
async function scopeInFastify(app: FastifyInstance, { guard, options }: Site): Promise<number> {
  app.register(
    async (scope) => {
      await scope.register(fastcgiAuthorizer, { upstream: guard })
      scope.get('/*', async () => SECRET)
    },
    { prefix: '/private' },
  )
  app.register(fastcgiProxy, { ...options, logger: false } as never)
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

/** The ways to guard a part of a tree. */
export const STARTERS: Readonly<Record<string, Starter>> = {
  'fastify, a guard in a scope': async (site) => {
    const app = Fastify({ ...fastcgiServerOptions })
    return { port: await scopeInFastify(app, site), close: () => app.close() }
  },
  'fastify over HTTP/2, a guard in a scope': async (site) => {
    const app = Fastify({ ...fastcgiServerOptions, http2: true }) as unknown as FastifyInstance
    return { port: await scopeInFastify(app, site), http2: true, close: () => app.close() }
  },
  'express, a guard on a mount': ({ guard, options }) => {
    const app = express().set('env', 'test')
    const authorizer = expressAuthorizer({ upstream: guard, logger: false })
    const proxy = expressProxy({ ...options, logger: false } as never)
    app.use('/private', authorizer).use(proxy)
    const onError: express.ErrorRequestHandler = ({ status }, _req, res, _next) =>
      res.status(status).end()
    app.use(onError)
    return listen(app, () => Promise.all([authorizer.close(), proxy.close()]))
  },
  'express, a guard in a router': ({ guard, options }) => {
    const app = express().set('env', 'test')
    const authorizer = expressAuthorizer({ upstream: guard, logger: false })
    const proxy = expressProxy({ ...options, logger: false } as never)
    const inner = express.Router().use(authorizer)
    app.use('/private', inner).use(proxy)
    return listen(app, () => Promise.all([authorizer.close(), proxy.close()]))
  },
}
for (const kind of ['guards', 'deny'] as const) {
  const extra = (guard: string): object =>
    kind === 'deny'
      ? { deny: ['/private/'] }
      : { guards: [{ match: '/private/', authorizer: { upstream: guard } }] }
  Object.assign(STARTERS, {
    [`fastify, ${kind}`]: async ({ guard, options }: Site) => {
      const app = Fastify({ ...fastcgiServerOptions })
      app.register(fastcgiProxy, { ...options, ...extra(guard), logger: false } as never)
      await app.listen({ host: '127.0.0.1', port: 0 })
      return { port: (app.server.address() as AddressInfo).port, close: () => app.close() }
    },
    [`express, ${kind}`]: ({ guard, options }: Site) => {
      const proxy = expressProxy({ ...options, ...extra(guard), logger: false } as never)
      return listen(express().set('env', 'test').use(proxy), () => proxy.close())
    },
    [`node:http, ${kind}`]: ({ guard, options }: Site) => {
      const gateway = createGateway({ ...options, ...extra(guard), logger: false } as never)
      return listen(gateway.handler, () => gateway.close())
    },
    [`node:http2, ${kind}`]: async ({ guard, options }: Site) => {
      const gateway = createGateway({ ...options, ...extra(guard), logger: false } as never)
      const server = createHttp2Server(gateway.handler as never)
      const close = async (): Promise<void> => {
        await new Promise((resolve) => server.close(resolve))
        await gateway.close()
      }
      return { port: await listening(server), http2: true, close }
    },
  })
}

/** An application that sends the script it is asked to run, as a careless PHP would, and a guard that refuses. */
export async function site(t: Test, front: boolean): Promise<Site> {
  const root = privateTree(t)
  const guard = await startPeer(NO)
  const application = await startPeer(
    eachRequest(async (request, connection) => {
      await request.stdin()
      const { SCRIPT_NAME = '', REQUEST_URI = '' } = request.params
      connection.write(response(`${REQUEST_URI}\n${read(join(root, SCRIPT_NAME))}`), endRecord())
      if (!request.keepConnection) connection.finish()
    }),
  )
  t.teardown(() => Promise.all([guard.close(), application.close()]))
  const options = { upstream: application.address, root, static: true }
  return {
    guard: guard.address,
    application,
    options: front ? { ...options, frontController: '/index.php' } : options,
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
