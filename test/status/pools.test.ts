/** A pool is a member, too: what the status says of a single upstream, with its events and its last minutes. */
import { ConnectError, Pool } from '@fastcgi/client'
import { createGateway, createStatus } from '@fastcgi/gateway'
import { Monitor, type StatusSnapshot } from '@fastcgi/gateway/internal'
import t from 'tap'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'

const STEP = 10_000

function look(pool: Pool): StatusSnapshot {
  return new Monitor({ dispatchers: () => ({ site: pool }), caches: () => ({}) }).snapshot()
}

async function send(pool: Pool): Promise<void> {
  const response = await pool.request({ params: { REQUEST_METHOD: 'GET' }, body: 'abc' })
  await response.bytes()
}

t.test('a pool has the figures of a member', async (t) => {
  const peer = await startPeer(wellBehaved(() => Buffer.from('hello')))
  const pool = new Pool(peer.address)
  t.teardown(() => pool.close().then(() => peer.close()))
  for (let n = 0; n < 5; n++) await send(pool)
  const [shown] = look(pool).dispatchers
  const [member] = shown?.members ?? []
  t.match(shown, { kind: 'pool', name: 'site', stats: { requests: 5 } })
  t.equal(shown?.members.length, 1)
  t.match(member, {
    name: pool.address.name,
    state: 'ok',
    since: null,
    lastError: null,
    responses: { '2xx': 5, '4xx': 0 },
    counters: { connected: 5, load: 0, failed: 0, aborted: 0, bytesReceived: 25 },
    queueTimes: { count: 5 },
    headTimes: { count: 5 },
    totalTimes: { count: 5 },
    limit: { adaptive: true, most: 64, cutAt: null },
  })
  const connections = member?.connectTimes.count ?? 0
  t.ok(connections >= 1, 'one was opened')
  t.equal(member?.reuse, (5 - connections) / 5)
  t.ok((member?.counters.bytesSent ?? 0) > 15)
})

t.test('a refused connection is not counted as connected, and says what to do', async (t) => {
  const gone = await startPeer(wellBehaved(), { listen: 'tcp' })
  await gone.close()
  const pool = new Pool(gone.address)
  await t.rejects(send(pool), ConnectError)
  const first = look(pool)
  const [member] = first.dispatchers[0]?.members ?? []
  t.match(member, {
    state: 'failing',
    counters: { connected: 0, died: 1, failed: 1 },
    connectTimes: { count: 0 },
    lastError: { code: 'FCGI_CONNECT', message: /ECONNREFUSED|refused/, remedy: /upstream/ },
  })
  t.equal(member?.since, member?.lastError?.at)
  t.match(first.events.slice(0, 1), [
    {
      kind: 'failing',
      dispatcher: 'site',
      member: pool.address.name,
      remedy: /upstream/,
      times: 1,
    },
  ])
  const peer = await startPeer(wellBehaved(), { port: Number(gone.address.split(':').at(-1)) })
  t.teardown(() => pool.close().then(() => peer.close()))
  await send(pool)
  const then = look(pool)
  t.match(then.dispatchers[0]?.members, [
    { state: 'ok', since: null, counters: { connected: 1 }, lastError: { code: 'FCGI_CONNECT' } },
  ])
  t.match(
    then.events.map(({ kind }) => kind),
    ['back', 'failing', 'error'],
  )
})

t.test('requests that clients abort are no failures', async (t) => {
  const peer = await startPeer(() => {})
  const pool = new Pool(peer.address)
  t.teardown(() => pool.destroy().then(() => peer.close()))
  const gone = new AbortController()
  const request = pool.request({ params: {}, signal: gone.signal })
  gone.abort()
  await t.rejects(request, { code: 'FCGI_ABORTED' })
  t.match(look(pool).dispatchers[0]?.members, [
    { state: 'ok', lastError: null, counters: { aborted: 1, failed: 0, died: 0 } },
  ])
})

t.test('it is named by its routes', async (t) => {
  const shop = createGateway(
    {
      upstream: 'fcgi://127.0.0.1:9',
      checkLocal: false,
      root: '/srv',
      routes: [{ match: '.php' }],
    },
    'a test',
    '/shop',
  )
  t.teardown(() => shop.close())
  const status = createStatus({ dispatchers: () => shop.dispatchers })
  const { body } = status.respond({ method: 'GET', url: '/?format=json', headers: {} })
  t.match(JSON.parse(body).dispatchers, [{ name: '127.0.0.1:9', routes: ['/shop/*.php'] }])
})

t.test('the last minutes, in steps', async (t) => {
  const peer = await startPeer(wellBehaved())
  const pool = new Pool(peer.address)
  t.teardown(() => pool.close().then(() => peer.close()))
  const real = Date.now
  let now = Math.ceil(real() / STEP) * STEP
  Date.now = () => now
  t.teardown(() => {
    Date.now = real
  })
  const monitor = new Monitor({ dispatchers: () => ({ site: pool }), caches: () => ({}) })
  for (let n = 0; n < 3; n++) await send(pool)
  now += STEP
  monitor.look()
  now += STEP
  monitor.look()
  const { dispatchers, history } = monitor.snapshot()
  for (const shown of [history, dispatchers[0]?.history, dispatchers[0]?.members[0]?.history]) {
    t.match(shown, { step: STEP, end: new Date(now).toISOString() })
    t.equal(shown?.requests.length, 90)
    t.strictSame(shown?.requests.slice(-3), [null, 3, 0])
    t.strictSame(shown?.failures.slice(-3), [null, 0, 0])
    t.strictSame(shown?.queue.slice(-3), [null, 0, 0])
    t.strictSame(shown?.p99.at(-1), null, 'nothing was asked')
    t.ok((shown?.p50.at(-2) ?? 0) > 0)
  }
  now += 100 * STEP
  t.ok(
    monitor.snapshot().history.requests.every((value) => value === null),
    'what is older than 15 minutes is gone',
  )
})
