/** fastcgiDispatchers(): what a scope sends requests with. And which script they run. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { fastcgiDispatchers, fastcgiProxy } from '@fastcgi/fastify'
import Fastify from 'fastify'
import t from 'tap'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'

t.test('those of all proxies of the scope', async (t) => {
  const peer = await startPeer(wellBehaved())
  t.teardown(() => peer.close())
  const app = Fastify()
  t.teardown(() => app.close())
  t.strictSame(fastcgiDispatchers(app), {})
  const root = { root: '/srv', checkLocal: false }
  app.register(fastcgiProxy, { ...root, upstream: peer.address })
  app.register(fastcgiProxy, {
    ...root,
    prefix: '/b',
    upstream: { name: 'b', members: [peer.address] },
  })
  await app.ready()
  const scripts: unknown[] = []
  const listener = (message: unknown): void => {
    scripts.push((message as { script: string }).script)
  }
  subscribe('fastcgi:script', listener)
  t.teardown(() => unsubscribe('fastcgi:script', listener))
  await app.inject('/x.php')
  await app.inject('/b/y.php')
  const dispatchers = fastcgiDispatchers(app)
  t.strictSame(Object.keys(dispatchers).sort(), ['b', peer.address].sort())
  t.equal(dispatchers.b?.stats.requests, 1)
  t.strictSame(scripts, ['/srv/x.php', '/srv/y.php'])
})
