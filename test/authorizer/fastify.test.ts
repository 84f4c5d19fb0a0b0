/** Scopes of Fastify: what a guard guards, and that it says so where it would not. */
import { fastcgiAuthorizer, fastcgiProxy, fastcgiStatus } from '@fastcgi/fastify'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { NO, says, YES } from '../helpers/guarded.ts'
import { type Peer, type Script, startPeer } from '../helpers/scripted-peer.ts'

async function peer(t: Test, script: Script): Promise<Peer> {
  const started = await startPeer(script)
  t.teardown(() => started.close())
  return started
}

function fastify(t: Test): FastifyInstance {
  const app = Fastify()
  t.teardown(() => app.close())
  return app
}

const status = async (app: FastifyInstance, url: string): Promise<number> =>
  (await app.inject({ url })).statusCode

t.test('routes of the same scope, whichever is registered when', async (t) => {
  const { address } = await peer(t, NO)
  for (const wait of [true, false]) {
    const app = fastify(t)
    app.get('/before', async () => 'no')
    const registered = app.register(fastcgiAuthorizer, { upstream: address })
    if (wait) await registered
    app.get('/after', async () => 'no')
    app.register(async (child) => {
      child.get('/child', async () => 'no')
      child.register(async (inner) => inner.get('/inner', async () => 'no'))
    })
    app.register(fastcgiProxy, { upstream: address, checkLocal: false, root: '/srv' })
    for (const url of ['/before', '/after', '/child', '/inner', '/x.php', '/nowhere'])
      t.equal(await status(app, url), 403, url)
  }
})

t.test('with scopes before it, the app does not start', async (t) => {
  const { address } = await peer(t, NO)
  const before: Array<(app: FastifyInstance) => unknown> = [
    (app) => app.register(async (child) => child.get('/open', async () => 'open')),
    (app) => app.register(fastcgiProxy, { upstream: address, checkLocal: false, root: '/srv' }),
  ]
  for (const register of before) {
    const app = fastify(t)
    register(app)
    app.register(fastcgiAuthorizer, { upstream: address })
    await t.rejects(
      async () => await app.ready(),
      /scopes \(plugins\) have been registered before it/,
    )
  }
})

t.test('a scope of its own leaves the rest alone', async (t) => {
  const { address } = await peer(t, NO)
  const app = fastify(t)
  app.get('/open', async () => 'open')
  app.register(async (scope) => {
    scope.register(fastcgiAuthorizer, { upstream: address })
    scope.get('/private', async () => 'no')
  })
  app.register(async (scope) => scope.get('/sibling', async () => 'open'))
  t.equal(await status(app, '/open'), 200)
  t.equal(await status(app, '/sibling'), 200)
  t.equal(await status(app, '/private'), 403)
  t.equal(await status(app, '/nowhere'), 404)
})

t.test('single routes', async (t) => {
  const no = await peer(t, NO)
  const yes = await peer(t, says('Variable-USER: alice\r\n\r\n'))
  const app = fastify(t)
  await app.register(fastcgiAuthorizer, { hook: false })
  const onRequest = app.fastcgiAuthorizer({ upstream: no.address })
  app.get('/private', { onRequest }, async () => 'no')
  const list = [{ upstream: yes.address }, { upstream: yes.address }]
  app.get('/known', { onRequest: app.fastcgiAuthorizer(list) }, (request) =>
    Promise.resolve(request.fastcgi.variables),
  )
  app.get('/open', async (request) => ({ ...request.fastcgi.variables }))
  t.equal(await status(app, '/private'), 403)
  t.equal((await app.inject({ method: 'HEAD', url: '/private' })).statusCode, 403)
  t.strictSame((await app.inject('/known')).json(), { USER: 'alice' })
  t.strictSame((await app.inject('/open')).json(), {})
})

t.test('two guards in one scope, and one in a scope inside', async (t) => {
  const [a, b, c] = [await peer(t, YES), await peer(t, YES), await peer(t, YES)]
  const app = fastify(t)
  await app.register(fastcgiAuthorizer, { upstream: a.address })
  await app.register(fastcgiAuthorizer, { upstream: b.address })
  app.get('/outer', async () => 'outer')
  app.register(async (scope) => {
    scope.register(fastcgiAuthorizer, { upstream: c.address })
    scope.get('/inner', async () => 'inner')
  })
  t.equal(await status(app, '/outer'), 200)
  t.equal(await status(app, '/inner'), 200)
  t.strictSame(
    [a, b, c].map(({ requests }) => requests.length),
    [2, 2, 1],
  )
})

t.test('hooks of the app see a no as any response', async (t) => {
  const { address } = await peer(t, NO)
  const app = fastify(t)
  app.addHook('onSend', async (_request, reply) => void reply.header('x-hook', '1'))
  await app.register(fastcgiAuthorizer, { upstream: address })
  app.get('/', async () => 'no')
  t.match(await app.inject('/'), { statusCode: 403, headers: { 'x-hook': '1' }, body: 'no' })
})

t.test('options that make no sense', async (t) => {
  const upstream = 'unix:/nowhere/s'
  const wrong: Array<[options: object, message: RegExp]> = [
    [{ upstream, guards: [{ upstream }] }, /give guards, or the options of one/],
    [{ hook: false, upstream }, /with hook: false no guard/],
    [{ upstream, prefix: '/x' }, /prefix only with docroot/],
    [{ guards: [] }, /no guard in the list/],
    [{ upstream, nonsense: 1 }, /fastcgiAuthorizer: unknown option nonsense/],
    [{ upstream, authoritative: false }, /passed on to nobody/],
  ]
  for (const [options, message] of wrong) {
    const app = fastify(t)
    app.register(fastcgiAuthorizer, options)
    await t.rejects(async () => await app.ready(), message)
  }
})

t.test('the status page shows guards, and each of them', async (t) => {
  const [a, b] = [await peer(t, YES), await peer(t, YES)]
  const app = fastify(t)
  const twice = [{ upstream: a.address }, { upstream: a.address, match: '/x/' }]
  await app.register(fastcgiAuthorizer, { guards: [...twice, { upstream: b.address }] })
  app.register(fastcgiStatus, { prefix: '/status' })
  await app.ready()
  const { body } = await app.inject('/status?format=prometheus')
  for (const name of [a.address, `${a.address} (2)`, b.address])
    t.match(body, `fastcgi_requests_total{route="${name}"`)
})
