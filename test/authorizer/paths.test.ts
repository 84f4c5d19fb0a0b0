/** Spellings of a path get around what a framework matches, but not around the option match. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  fastcgiAuthorizer as expressAuthorizer,
  fastcgiProxy as expressProxy,
} from '@fastcgi/express'
import { fastcgiAuthorizer, fastcgiProxy } from '@fastcgi/fastify'
import express from 'express'
import Fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import { ADAPTERS, type AdapterName, eachAdapter } from '../helpers/adapters.ts'
import { routerOptions } from '../helpers/framework-versions.ts'
import { guarded, NO, says } from '../helpers/guarded.ts'
import { rawGet } from '../helpers/raw-http.ts'
import { startPeer } from '../helpers/scripted-peer.ts'

/** Ways to write a path below /private. */
const SPELLINGS = [
  '/private/x.php',
  '/private',
  '/private/',
  '//private/x.php',
  '/private//x.php',
  '/%70rivate/x.php',
  '/private%2fx.php',
  '/./private/x.php',
  '/x/../private/x.php',
  '/x/%2e%2e/private/x.php',
  '/x/..%2fprivate/x.php',
  '/PRIVATE/x.php',
  '/Priv%41te/x.php',
  '/private/x.php/info',
  '/private/x.php?a=/../../',
  'http://localhost/private/x.php',
]

await eachAdapter(t, 'match: a prefix', async (t, adapter) => {
  const { get, behind } = await guarded(t, adapter, [{ does: NO, match: '/private/' }])
  for (const target of SPELLINGS) t.equal((await get(target)).status, 403, target)
  t.equal(behind.requests.length, 0)
  for (const target of ['/', '/x.php', '/privately', '/x/private/', '/private/../x.php'])
    t.equal((await get(target)).status, 200, target)
})

await eachAdapter(t, 'match: an ending', async (t, adapter) => {
  const { get } = await guarded(t, adapter, [{ does: NO, match: ['.php', '/a\u00e9/'] }])
  const asked = ['/x.php', '/x.PHP', '/x.ph%70', '/x.php/info', '/dir/', '/', '/a%c3%a9/x.txt']
  for (const target of asked) t.equal((await get(target)).status, 403, target)
  for (const target of ['/x.txt', '/x.phpx', '/php', '/b%c3%a9/x.txt'])
    t.equal((await get(target)).status, 200, target)
})

/** The guard is mounted at /private, the application at the root: the same files by another way. */
const MOUNTED: Record<Exclude<AdapterName, 'http'>, typeof mountedInExpress> = {
  express: mountedInExpress,
  fastify: mountedInFastify,
}
type Mounted = { port: number; close(): Promise<void> }
type Guard = { upstream: string; match?: string }

async function mountedInExpress(guard: Guard, upstream: string, mount: string): Promise<Mounted> {
  const app = express()
  const authorizer = expressAuthorizer(guard)
  const proxy = expressProxy({ upstream, root: '/srv', checkLocal: false })
  app.use(mount, authorizer).use(proxy)
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async () => {
    await new Promise((resolve) => server.close(resolve))
    await Promise.all([authorizer.close(), proxy.close()])
  }
  return { port: (server.address() as AddressInfo).port, close }
}

async function mountedInFastify(guard: Guard, upstream: string, mount: string): Promise<Mounted> {
  const app = Fastify(routerOptions({ ignoreDuplicateSlashes: true }))
  const options = { upstream, root: '/srv', checkLocal: false }
  const guarded = async (scope: FastifyInstance): Promise<void> => {
    await scope.register(fastcgiAuthorizer, guard)
    scope.get('/*', async () => 'guarded')
  }
  if (mount === '/') await guarded(app)
  else {
    app.register(guarded, { prefix: mount })
    app.register(fastcgiProxy, options)
  }
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { port: (app.server.address() as AddressInfo).port, close: () => app.close() }
}

for (const adapter of ADAPTERS)
  if (adapter !== 'http')
    t.test(`neither a mount point nor match can be got around (${adapter})`, async (t) => {
      const authorizer = await startPeer(NO)
      const application = await startPeer(says('X-A: 1\r\n\r\n', 'secret'))
      const start = async (mount: string, match?: string): Promise<number> => {
        const guard = { upstream: authorizer.address, ...(match && { match }) }
        const { port, close } = await MOUNTED[adapter](guard, application.address, mount)
        t.teardown(close)
        return port
      }
      t.teardown(() => Promise.all([authorizer.close(), application.close()]))

      const around = await start('/private')
      t.equal((await rawGet(around, '/private/x.php')).status, 403)
      const detour = await rawGet(around, '/x/../private/x.php?a=1')
      t.equal(detour.status, 308, 'sent to where the guard stands')
      t.equal(detour.headers.location, '/private/x.php?a=1')
      const within = await start('/', '/private/')
      for (const target of SPELLINGS.slice(0, -1)) {
        const { status } = await rawGet(within, target)
        t.equal(status, 403, target)
      }
    })

t.test('match below a mount point, which may be spelled in many ways, too', async (t) => {
  const authorizer = await startPeer(NO)
  const application = await startPeer(says('X-A: 1\r\n\r\n'))
  t.teardown(() => Promise.all([authorizer.close(), application.close()]))
  for (const adapter of ['express', 'fastify'] as const) {
    const guard = { upstream: authorizer.address, match: '/secret/' }
    const { port, close } = await MOUNTED[adapter](guard, application.address, '/a/b')
    t.teardown(close)
    const mounted = ['/a/b/secret/x', '/a/b//secret/x', '/a/b/./secret/x', '/a/b/x/../secret/x']
    // What else a framework takes for the mount point; below none, a guard asks in any case.
    const lax = {
      express: ['/A/b/secret/x'],
      fastify: ['//a/b/secret/x', '/a//b/secret/x', '/%61/b/secret/x'],
    }
    for (const target of [...mounted, '/a/b/../../a/b/secret/x', '/a/b/../x'])
      t.equal((await rawGet(port, target)).status, 403, `${target} (${adapter})`)
    // Fastify 5.0 does not take them for it, so that they are sent to the path that it does.
    for (const target of lax[adapter])
      t.ok([308, 403].includes((await rawGet(port, target)).status), `${target} (${adapter})`)
    t.equal((await rawGet(port, '/a/b/open/x')).status, 200)
  }
})
