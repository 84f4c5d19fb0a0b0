/** The status page in applications of Fastify and Express. */
import { type Balancer, OptionError } from '@fastcgi/client'
import { fastcgiProxy as expressProxy, fastcgiStatus as expressStatus } from '@fastcgi/express'
import { fastcgiProxy, fastcgiStatus } from '@fastcgi/fastify'
import express from 'express'
import Fastify from 'fastify'
import t from 'tap'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'
import { asker, expressFace, type Face, FORM, shop, submit } from '../helpers/status-faces.ts'

t.test('Fastify finds the proxies of its scope', async (t) => {
  const peer = await startPeer(wellBehaved())
  t.teardown(() => peer.close())
  const app = Fastify()
  t.teardown(() => app.close())
  const proxy = { checkLocal: false, root: '/srv' }
  // The order does not matter.
  await app.register(fastcgiStatus, { prefix: '/status', path: '/pools' })
  await app.register(fastcgiProxy, { ...proxy, prefix: '/a', upstream: peer.address })
  await app.register(fastcgiProxy, {
    ...proxy,
    prefix: '/b',
    upstream: { name: 'b', members: [peer.address] },
  })
  for (const url of ['/a/x.php', '/b/x.php', '/b/y.php']) await app.inject(url)
  const headers = { accept: 'application/json' }
  const { dispatchers } = (await app.inject({ url: '/status/pools', headers })).json()
  t.match(dispatchers, [
    { name: peer.address, kind: 'pool', stats: { requests: 1 } },
    { name: 'b', kind: 'balancer', stats: { requests: 2 } },
  ])
  t.equal((await app.inject('/status')).statusCode, 404)
})

t.test('Fastify says so when there is nothing to find', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(fastcgiStatus)
  await t.rejects(Promise.resolve(app.ready()), OptionError)
  const other = Fastify()
  t.teardown(() => other.close())
  other.register(fastcgiStatus, { dispatchers: {}, colour: 'red' } as object)
  await t.rejects(Promise.resolve(other.ready()), /unknown option colour/)
})

t.test('the parsers of a Fastify application keep what is theirs', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.addContentTypeParser(FORM, (_request, payload, done) => {
    payload.resume()
    done(null, 'theirs')
  })
  await app.register(fastcgiStatus, { prefix: '/status', dispatchers: {}, actions: () => true })
  app.post('/other', async (request) => request.body)
  const post = { method: 'POST', payload: 'a=b', headers: { 'content-type': FORM } } as const
  t.equal((await app.inject({ ...post, url: '/other' })).body, 'theirs')
  t.equal((await app.inject({ ...post, url: '/status' })).statusCode, 403)
})

t.test('Express takes what its proxies have', async (t) => {
  const peer = await startPeer(wellBehaved())
  t.teardown(() => peer.close())
  const proxies = ['one', 'two'].map((name) =>
    expressProxy({ checkLocal: false, root: '/srv', upstream: { name, members: [peer.address] } }),
  )
  t.teardown(() => Promise.all(proxies.map((proxy) => proxy.close())))
  const [one, two] = proxies
  if (one === undefined || two === undefined) return
  const app = express()
  app.use('/one/status', expressStatus({ dispatchers: one }))
  app.use('/all/status', expressStatus({ dispatchers: [one, two] }))
  app.use(
    '/some/status',
    expressStatus({ dispatchers: () => ({ mine: two.dispatchers.two as Balancer }) }),
  )
  app.use('/one', one)
  const { ask: get } = await expressFace(t, app, '')
  await get({ path: '/one/x.php' })
  const names = async (path: string): Promise<string[]> => {
    const { body } = await get({ path, headers: { accept: 'application/json' } })
    return JSON.parse(body).dispatchers.map(
      ({ name, stats }: { name: string; stats: { requests: number } }) =>
        `${name} ${stats.requests}`,
    )
  }
  t.strictSame(await names('/one/status'), ['one 1'])
  t.strictSame(await names('/all/status/'), ['one 1', 'two 0'])
  t.strictSame(await names('/some/status'), ['mine 0'])
  t.equal((await get({ path: '/all/status/more' })).status, 404, 'only the path itself')
})

t.test('Express: a form that a body parser has read', async (t) => {
  for (const [what, parser] of [
    ['urlencoded', express.urlencoded({ extended: true })],
    ['text', express.text({ type: FORM })],
    ['raw', express.raw({ type: FORM })],
    ['json, which leaves it alone', express.json()],
  ] as const) {
    const balancer = shop(t)
    const app = express()
    app.use(parser)
    app.use('/s', expressStatus({ dispatchers: { shop: balancer }, actions: () => true }))
    const face = await expressFace(t, app, '/s')
    t.equal((await submit(face, { member: 'a', action: 'drain' })).status, 303, what)
    t.equal(balancer.members[0]?.status, 'draining', what)
  }
})

t.test('behind a proxy that is trusted, its scheme and host are the page’s', async (t) => {
  const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'shop.example' }
  const origin = 'https://shop.example'
  const balancer = shop(t)
  const options = { dispatchers: { shop: balancer }, actions: () => true }
  const drain = { member: 'a', action: 'drain' }
  for (const [trusts, status] of [
    [true, 303],
    [false, 403],
  ] as const) {
    const app = express().set('trust proxy', trusts)
    app.use('/s', expressStatus(options))
    const face = await expressFace(t, app, '/s')
    t.equal((await submit(face, drain, { ...forwarded, origin })).status, status)
    const fastify = Fastify({ trustProxy: trusts })
    t.teardown(() => fastify.close())
    await fastify.register(fastcgiStatus, { prefix: '/s', ...options })
    const base = await fastify.listen({ host: '127.0.0.1', port: 0 })
    const other: Face = { ask: asker(base, '/s'), origin: base, path: '/s' }
    t.equal((await submit(other, drain, { ...forwarded, origin })).status, status)
  }
})
