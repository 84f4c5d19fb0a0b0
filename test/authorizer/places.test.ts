/** Where guards stand: however a framework has been told of them, proxies beside them know. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  fastcgiAuthorizer as expressAuthorizer,
  fastcgiProxy as expressProxy,
} from '@fastcgi/express'
import { fastcgiAuthorizer, fastcgiProxy } from '@fastcgi/fastify'
import express, { type Express } from 'express'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { REST } from '../helpers/framework-versions.ts'
import { NO, says, YES } from '../helpers/guarded.ts'
import { privateTree, SECRET } from '../helpers/private-tree.ts'
import { rawRequest } from '../helpers/raw-http.ts'
import { type Peer, startPeer } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'

nothingEscapes()

interface Site {
  readonly guard: string
  readonly options: { readonly upstream: string; readonly root: string; readonly static: true }
}

/** A tree whose private files nobody may have, and an application that tells the secret whatever it is asked to run. */
async function site(t: Test): Promise<Site & { readonly application: Peer }> {
  const guard = await startPeer(NO)
  const application = await startPeer(says('Content-Type: text/plain\r\n\r\n', SECRET))
  t.teardown(() => Promise.all([guard.close(), application.close()]))
  const options = { upstream: application.address, root: privateTree(t), static: true } as const
  return { guard: guard.address, options, application }
}

const REQUESTS: readonly string[] = [
  'GET /private/x.php',
  'GET //private/x.php',
  'GET /x/../private/x.php',
  'GET /private%2fx.php',
  'GET /%70rivate/x.php/info',
  'GET /private//x.php',
  'GET /private/./x.php',
  'GET //private/data.txt',
  'POST /private/x.php',
  'PROPFIND /private/x.php',
  'POST //private/x.php',
]

/** No request for a private path is run unasked; `/x.php`, which is open, is run. */
async function isGuarded(t: Test, port: number, open: string | undefined): Promise<void> {
  const ask = (line: string): Promise<{ status: number; text: string }> =>
    rawRequest(port, `${line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  for (const line of REQUESTS) {
    const { status, text } = await ask(line)
    t.ok(status === 403 || status === 308, `${line}: ${status}`)
    t.notMatch(text, SECRET, line)
  }
  if (open !== undefined) t.match((await ask(`GET ${open}`)).text, SECRET, open)
}

const secret = async (): Promise<string> => SECRET

/** Ways to guard `/private` in Fastify. */
const IN_FASTIFY: Record<string, (app: FastifyInstance, guard: string) => void> = {
  'a scope with a prefix': (app, upstream) =>
    app.register(
      async (scope) => {
        await scope.register(fastcgiAuthorizer, { upstream })
        scope.get('/*', secret)
      },
      { prefix: '/private' },
    ),
  'a scope with a prefix, of which other paths have no route': (app, upstream) =>
    app.register(
      async (scope) => {
        await scope.register(fastcgiAuthorizer, { upstream })
        scope.get('/other', secret)
      },
      { prefix: '/private' },
    ),
  'a scope without a prefix, routes after the guard': (app, upstream) =>
    app.register(async (scope) => {
      await scope.register(fastcgiAuthorizer, { upstream })
      scope.get('/private/*', secret)
    }),
  'a scope without a prefix, routes before the guard': (app, upstream) =>
    app.register(async (scope) => {
      scope.get('/private/*', secret)
      await scope.register(fastcgiAuthorizer, { upstream })
    }),
  'a scope below one that is guarded': (app, upstream) =>
    app.register(async (scope) => {
      await scope.register(fastcgiAuthorizer, { upstream })
      scope.register(async (inner) => void inner.get('/*', secret), { prefix: '/private' })
    }),
  'a guarded scope below one that is not': (app, upstream) =>
    app.register(async (outer) => {
      outer.register(
        async (scope) => {
          await scope.register(fastcgiAuthorizer, { upstream })
          scope.get('/*', secret)
        },
        { prefix: '/private' },
      )
    }),
  'several guards in a scope': (app, upstream) =>
    app.register(
      async (scope) => {
        await scope.register(fastcgiAuthorizer, { guards: [{ upstream }, { upstream }] })
        await scope.register(fastcgiAuthorizer, { upstream })
        scope.get('/*', secret)
      },
      { prefix: '/private' },
    ),
  'a hook of one route': (app, upstream) =>
    app.register(async (scope) => {
      await scope.register(fastcgiAuthorizer, { hook: false })
      scope.get('/private/*', { onRequest: scope.fastcgiAuthorizer({ upstream }) }, secret)
    }),
  'a hook of one route, among others': (app, upstream) =>
    app.register(async (scope) => {
      await scope.register(fastcgiAuthorizer, { hook: false })
      const onRequest = [async () => {}, scope.fastcgiAuthorizer({ upstream })]
      scope.get('/private/*', { onRequest }, secret)
    }),
  'addHook in a scope': (app, upstream) =>
    app.register(
      async (scope) => {
        await scope.register(fastcgiAuthorizer, { hook: false })
        scope.addHook('onRequest', scope.fastcgiAuthorizer({ upstream }))
        scope.get('/*', secret)
      },
      { prefix: '/private' },
    ),
  'addHook in a scope without a prefix': (app, upstream) =>
    app.register(async (scope) => {
      await scope.register(fastcgiAuthorizer, { hook: false })
      scope.get('/private/*', secret)
      scope.addHook('onRequest', scope.fastcgiAuthorizer({ upstream }))
    }),
  'a guard with match, in a scope without a prefix': (app, upstream) =>
    app.register(async (scope) => {
      await scope.register(fastcgiAuthorizer, { upstream, match: '/private/' })
      scope.get('/private/*', secret)
    }),
  'a guard with match, in a scope with a prefix': (app, upstream) =>
    app.register(
      async (scope) => {
        await scope.register(fastcgiAuthorizer, { upstream, match: ['/x.php', '/data.txt'] })
        scope.get('/x.php', secret)
        scope.get('/*', secret)
      },
      { prefix: '/private' },
    ),
  'a wildcard at the end of a name': (app, upstream) =>
    app.register(async (scope) => {
      await scope.register(fastcgiAuthorizer, { upstream })
      scope.get('/priv*', secret)
    }),
  'a parameter with a regular expression': (app, upstream) =>
    app.register(async (scope) => {
      await scope.register(fastcgiAuthorizer, { upstream })
      scope.get('/:tree(^private$)/*', secret)
    }),
  'a prefix with a parameter': (app, upstream) =>
    app.register(
      async (scope) => {
        await scope.register(fastcgiAuthorizer, { upstream })
        scope.get('/*', secret)
      },
      { prefix: '/:tree(^private$)' },
    ),
  'a proxy in the scope': (app, upstream) =>
    app.register(
      async (scope) => {
        await scope.register(fastcgiAuthorizer, { upstream })
        await scope.register(fastcgiProxy, { upstream: 'unix:/nowhere/s', root: '/' })
      },
      { prefix: '/private' },
    ),
}

for (const [name, guards] of Object.entries(IN_FASTIFY))
  for (const first of [true, false])
    t.test(`Fastify: ${name}${first ? '' : ', after the proxy'}`, async (t) => {
      const { guard, options } = await site(t)
      const app = Fastify()
      t.teardown(() => app.close())
      if (first) guards(app, guard)
      app.register(fastcgiProxy, { ...options, logger: false })
      if (!first) guards(app, guard)
      await app.listen({ host: '127.0.0.1', port: 0 })
      const { port } = app.server.address() as AddressInfo
      // A parameter that matches any name guards all of them, in case of doubt.
      await isGuarded(
        t,
        port,
        name.includes('regular') || name.includes('parameter') ? undefined : '/x/a.php',
      )
    })

t.test('Fastify: guards of scopes beside each other are not mixed up', async (t) => {
  const { guard, options } = await site(t)
  const yes = await startPeer(YES)
  t.teardown(() => yes.close())
  const app = Fastify()
  t.teardown(() => app.close())
  for (const [route, upstream] of [
    ['/x.php', yes.address],
    ['/private/*', guard],
  ] as const)
    app.register(async (scope) => {
      scope.get(route, secret)
      await scope.register(fastcgiAuthorizer, { upstream })
    })
  app.register(fastcgiProxy, { ...options, logger: false })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const line = 'POST /x.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  t.equal((await rawRequest(port, line)).status, 200)
  t.equal(yes.requests.length, 1)
  await isGuarded(t, port, undefined)
})

type Guard = ReturnType<typeof expressAuthorizer>

/** Ways to guard `/private` in Express. */
const IN_EXPRESS: Record<string, (app: Express, guard: Guard) => void> = {
  'a mount': (app, guard) => void app.use('/private', guard),
  'several mounts': (app, guard) => void app.use(['/other', '/private'], guard),
  'a regular expression': (app, guard) => void app.use(/^\/private(?=\/|$)/, guard),
  'a router': (app, guard) => void app.use('/private', express.Router().use(guard)),
  'a router in a router': (app, guard) => {
    const inner = express.Router().use('/vate', guard)
    app.use('/pri', express.Router().use(inner))
    app.use('/private', express.Router().use('/', express.Router().use(guard)))
  },
  'a router, at a path of its own': (app, guard) => {
    app.use('/x', express.Router().use('/private', guard))
    app.use('/', express.Router().use('/private', guard))
  },
  'a route': (app, guard) =>
    void app.get(`/private/${REST}`, guard, (_req, res) => res.send(SECRET)),
  'a route with a parameter': (app, guard) =>
    void app.get(['/private/:name', `/private/:name/${REST}`], guard, (_req, res) =>
      res.send(SECRET),
    ),
  'several guards': (app, guard) =>
    void app.use('/private', (_q, _s, next) => next(), guard, guard),
  'an app of its own': (app, guard) => void app.use('/private', express().use(guard)),
  'an app in an app': (app, guard) => void app.use(express().use('/private', express().use(guard))),
}

for (const [name, guards] of Object.entries(IN_EXPRESS))
  t.test(`Express: ${name}`, async (t) => {
    const { guard: upstream, options } = await site(t)
    const guard = expressAuthorizer({ upstream, logger: false })
    const proxy = expressProxy({ ...options, logger: false })
    const app = express().set('env', 'test')
    guards(app, guard)
    app.use(proxy)
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(async () => {
      await new Promise((resolve) => server.close(resolve))
      await Promise.all([guard.close(), proxy.close()])
    })
    await isGuarded(t, (server.address() as AddressInfo).port, '/x/a.php')
  })

t.test('Express: a guard in a router at a path of its own below a mount', async (t) => {
  const { guard: upstream, options } = await site(t)
  const guard = expressAuthorizer({ upstream, logger: false })
  const proxy = expressProxy({ ...options, logger: false })
  const app = express().set('env', 'test')
  app.use('/a', express.Router().use('/private', guard)).use('/a', proxy)
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    await new Promise((resolve) => server.close(resolve))
    await Promise.all([guard.close(), proxy.close()])
  })
  const { port } = server.address() as AddressInfo
  for (const target of ['/a/private/x.php', '/a//private/x.php', '/a/x/../private/x.php']) {
    const { status, text } = await rawRequest(
      port,
      `POST ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    )
    t.ok(status === 403 || status === 308, `${target}: ${status}`)
    t.notMatch(text, SECRET, target)
  }
})

t.test('Express: apps in apps, mounts in another case and with parameters', async (t) => {
  const { guard: upstream, options } = await site(t)
  const guard = expressAuthorizer({ upstream, logger: false })
  const proxy = expressProxy({ ...options, logger: false })
  const sub = (): Express => express().use('/private', guard).use(proxy)
  const app = express().set('env', 'test')
  app.use('/out/private', guard).use('/out', express().use(proxy))
  app.use('/shop', sub()).use(['/m/n', '/o'], sub()).use('/by/:name', sub())
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    await new Promise((resolve) => server.close(resolve))
    await Promise.all([guard.close(), proxy.close()])
  })
  const { port } = server.address() as AddressInfo
  const ask = (target: string): Promise<{ status: number; text: string }> =>
    rawRequest(port, `POST ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  for (const mount of ['/out', '/OUT', '/shop', '/SHOP', '/m/n', '/o', '/by/you', '/BY/you']) {
    for (const path of ['/private/x.php', '//private/x.php', '/x/../private/x.php']) {
      const { status, text } = await ask(mount + path)
      t.ok(status === 403 || status === 308, `${mount}${path}: ${status}`)
      t.notMatch(text, SECRET)
    }
    t.match((await ask(`${mount}//x.php`)).text, SECRET, `${mount}: what is open is no matter`)
  }
})
