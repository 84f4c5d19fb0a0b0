/**
 * A table of spellings of private paths: however a client writes them, and with whatever method, nothing private is run or
 * sent before the guard has been asked, which here always says no. nginx runs the same table for comparison.
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import {
  fastcgiAuthorizer as expressAuthorizer,
  fastcgiProxy as expressProxy,
} from '@fastcgi/express'
import { fastcgiAuthorizer, fastcgiProxy } from '@fastcgi/fastify'
import { createGateway, type GatewayOptions } from '@fastcgi/gateway'
import express from 'express'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { NO } from '../helpers/guarded.ts'
import { PRIVATE_METHODS, PRIVATE_TARGETS, privateTree, SECRET } from '../helpers/private-tree.ts'
import { type RawResponse, rawRequest } from '../helpers/raw-http.ts'
import { eachRequest, endRecord, type Peer, response, startPeer } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'

nothingEscapes()

interface Site {
  readonly guard: string
  readonly application: Peer
  readonly options: Partial<GatewayOptions<never>> & { upstream: string; root: string }
}

type Starter = (site: Site) => Promise<{ port: number; close(): Promise<unknown> }>

const listen = async (
  handler: Parameters<typeof createServer>[1],
  close: () => Promise<unknown>,
): ReturnType<Starter> => {
  const server = createServer(handler as never)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await close()
    },
  }
}

/** The ways to guard a part of a tree. */
const STARTERS: Readonly<Record<string, Starter>> = {
  'fastify, a guard in a scope': async ({ guard, options }) => {
    const app = Fastify()
    app.register(
      async (scope) => {
        await scope.register(fastcgiAuthorizer, { upstream: guard })
        scope.get('/*', async () => SECRET)
      },
      { prefix: '/private' },
    )
    app.register(fastcgiProxy, { ...options, logger: false } as never)
    await app.listen({ host: '127.0.0.1', port: 0 })
    return { port: (app.server.address() as AddressInfo).port, close: () => app.close() }
  },
  'express, a guard on a mount': ({ guard, options }) => {
    const app = express().set('env', 'test')
    const authorizer = expressAuthorizer({ upstream: guard, logger: false })
    const proxy = expressProxy({ ...options, logger: false } as never)
    app.use('/private', authorizer).use(proxy)
    app.use(((_error, _req, res, _next) => res.status(500).end()) as express.ErrorRequestHandler)
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
      const app = Fastify()
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
  })
}

/** An application that sends the script it is asked to run, as a careless PHP would, and a guard that refuses. */
async function site(t: Test, front: boolean): Promise<Site> {
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

const ask = (port: number, method: string, target: string): Promise<RawResponse> =>
  rawRequest(port, `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)

/** Whether a front controller, which routes by REQUEST_URI itself, could take a target for a private one. */
function isPrivate(uri: string): boolean {
  let path = uri.replace(/^[a-z]+:\/\/[^/]*/i, '').replace(/[?#].*$/, '')
  try {
    path = Buffer.from(
      path.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
      'latin1',
    ).toString()
  } catch {}
  const kept: string[] = []
  for (const segment of path.split('/'))
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(segment)
  return kept[0]?.toLowerCase() === 'private'
}

for (const [name, start] of Object.entries(STARTERS))
  for (const front of [false, true])
    t.test(`${name}${front ? ', behind a front controller' : ''}`, async (t) => {
      const made = await site(t, front)
      const { port, close } = await start(made)
      t.teardown(close)
      const leaks: string[] = []
      for (const method of PRIVATE_METHODS) {
        const left = [...PRIVATE_TARGETS]
        const work = async (): Promise<void> => {
          for (let target = left.shift(); target !== undefined; target = left.shift())
            if ((await ask(port, method, target)).text.includes(SECRET))
              leaks.push(`${method} ${target}`)
        }
        await Promise.all(Array.from({ length: 8 }, work))
      }
      const ran = made.application.requests.map(({ params }) => params.REQUEST_URI ?? '')
      leaks.push(...ran.filter(isPrivate))
      t.strictSame(leaks, [], `${PRIVATE_METHODS.length * PRIVATE_TARGETS.length} requests`)
      t.equal((await ask(port, 'GET', '/x.php')).status, 200, 'what is open stays open')
    })
