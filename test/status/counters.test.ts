/** The figures of the status page: counters and rates. */
import { ConnectError, FastCGIClient, Pool } from '@fastcgi/client'
import { BUCKETS } from '@fastcgi/client/internal'
import { createStatus } from '@fastcgi/gateway'
import t from 'tap'
import { parsePrometheus } from '../helpers/prometheus-text.ts'
import { aloneFace, ask, shop, stub } from '../helpers/status-faces.ts'

t.test('counters move with traffic, in all three forms', async (t) => {
  const balancer = shop(t)
  const failing = balancer.add({ address: stub(new ConnectError('refused')), name: 'dead' })
  const pool = new Pool('fcgi://127.0.0.1:9')
  t.teardown(() => pool.close())
  const client = new FastCGIClient(balancer)
  const { ask: look } = aloneFace(createStatus({ dispatchers: { shop: client, pool } }))
  const json = async () => JSON.parse((await look({ path: '?format=json' })).body)

  const before = await json()
  t.match(before.dispatchers, [
    { name: 'shop', kind: 'balancer', stats: { requests: 0 }, requestsPerSecond: null },
    {
      name: 'pool',
      kind: 'pool',
      members: [{ name: '127.0.0.1:9', state: 'ok', since: null, limit: { most: 64 } }],
    },
  ])
  t.match(before.dispatchers[0].members[0], {
    state: 'ok',
    route: 'r1',
    headTimes: { count: 0, mean: null, p50: null },
    lastError: null,
  })
  await ask(client, 10)
  const after = await json()
  const [a, b, dead] = after.dispatchers[0].members
  t.equal(after.pid, process.pid)
  t.equal(after.dispatchers[0].stats.requests, 10)
  t.equal(a.counters.connected, 10)
  t.equal(a.counters.bytesReceived, 10_000)
  t.match(a.headTimes, { count: 10, p50: BUCKETS[0] })
  t.equal(a.headTimes.counts.length, BUCKETS.length + 1)
  t.equal(b.counters.connected, 0)
  t.match(dead, { state: 'failed', counters: { died: 1, disabled: 1 } })
  t.match(dead.lastError, { message: 'refused', at: failing.lastError?.at.toISOString() })
  t.match(after.lighttpd, {
    'gw.active-requests': 0,
    'fastcgi.requests': 10,
    'gw.backend.a.connected': 10,
    'gw.backend.a.load': 0,
    'gw.backend.dead.died': 1,
    'gw.backend.dead.disabled': 1,
    'gw.backend.dead.overloaded': 0,
    'gw.backend.pool.connected': 0,
  })

  const samples = parsePrometheus(t, (await look({ path: '?format=prometheus' })).body)
  const value = (name: string, labels: Record<string, string>): number | undefined =>
    samples.find(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
    )?.value
  t.equal(value('fastcgi_requests_total', { route: 'shop', member: 'a', status_class: '2xx' }), 10)
  t.equal(
    value('fastcgi_requests_total', { route: 'shop', member: 'dead', status_class: 'failed' }),
    1,
  )
  t.equal(value('fastcgi_errors_total', { member: 'dead', reason: 'died' }), 1)
  t.equal(value('fastcgi_failovers_total', { route: 'shop' }), after.dispatchers[0].stats.retries)
  t.equal(value('fastcgi_response_bytes_total', { member: 'a' }), 10_000)
  t.equal(value('fastcgi_request_duration_seconds_count', { member: 'a' }), 10)
  t.equal(value('fastcgi_connections_limit', { route: 'pool' }), 64)
  t.equal(value('fastcgi_member_requests_total', { member: 'a' }), 10)
  t.equal(value('fastcgi_member_up', { member: 'a' }), 1)
  t.equal(value('fastcgi_member_up', { member: 'b' }), 0)
  t.equal(value('fastcgi_member_state', { member: 'b', state: 'draining' }), 1)
  t.equal(value('fastcgi_member_state', { member: 'b', state: 'ok' }), 0)
  t.equal(value('fastcgi_member_died_total', { member: 'dead' }), 1)
  t.equal(value('fastcgi_member_bytes_received_total', { member: 'a' }), 10_000)
  t.equal(value('fastcgi_member_response_seconds_count', { member: 'a' }), 10)
  t.equal(value('fastcgi_member_response_seconds_bucket', { member: 'a', le: '+Inf' }), 10)
  const buckets = samples.filter(
    ({ name, labels }) =>
      name === 'fastcgi_member_response_seconds_bucket' && labels.member === 'a',
  )
  t.strictSame(
    buckets.map(({ labels }) => labels.le),
    [...BUCKETS.map((bound) => String(bound / 1000)), '+Inf'],
  )
  t.strictSame(
    buckets.map(({ value }) => value),
    buckets.map(({ value }) => value).sort((a, b) => a - b),
    'cumulated',
  )
  t.equal(value('fastcgi_pool_limit', { dispatcher: 'pool' }), 64)
  t.equal(value('fastcgi_pool_limit', { member: 'a' }), 4)

  const page = (await look()).body
  t.match(page, '<span class="state failed">failed</span>')
  t.match(page, '<span class="state draining">draining</span>')
  t.match(page, '9.8 KiB', 'bytes as people read them')
})

t.test('rates are those of the time since the last looks', async (t) => {
  const balancer = shop(t)
  const status = createStatus({ dispatchers: { shop: balancer } })
  const real = performance.now.bind(performance)
  let ahead = 0
  performance.now = () => real() + ahead
  t.teardown(() => {
    performance.now = real
  })
  const perSecond = (): number | null => {
    const { body } = status.respond({ method: 'GET', url: '/?format=json', headers: {} })
    return JSON.parse(body).dispatchers[0].requestsPerSecond
  }
  t.equal(perSecond(), null, 'nothing is known at first')
  await ask(balancer, 20)
  t.equal(perSecond(), null, 'too short a time')
  ahead += 5000
  const first = perSecond() ?? 0
  t.ok(first > 3 && first <= 4, `20 in 5 s: ${first}`)
  ahead += 5000
  const second = perSecond() ?? 0
  t.ok(second > 1.5 && second <= 2.01, `20 in 10 s: ${second}`)
  ahead += 9000
  t.equal(perSecond(), 0, 'none in the last ten')
})
