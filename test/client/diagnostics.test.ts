/** What subscribers of diagnostics_channel are told. */
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { type Attempt, Balancer, type ExchangeEvent, type MemberEvent, Pool } from '@fastcgi/client'
import { encodeNameValues } from '@fastcgi/protocol'
import t, { type Test } from 'tap'
import { peerAndPool, sent } from '../helpers/outcome.ts'
import {
  eachRequest,
  endRecord,
  response,
  startPeer,
  wellBehaved,
} from '../helpers/scripted-peer.ts'

/** Everything that is published on a channel while the test runs. */
function published<T>(t: Test, name: string): T[] {
  const messages: T[] = []
  const keep = (message: unknown): void => void messages.push(message as T)
  subscribe(name, keep)
  t.teardown(() => unsubscribe(name, keep))
  return messages
}

/** Names of the events of exchanges, in order, and what came with them. */
function traced(t: Test): Array<[string, ExchangeEvent]> {
  const events: Array<[string, ExchangeEvent]> = []
  const keep = (name: string) => (event: ExchangeEvent) => void events.push([name, event])
  const names = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const
  const handlers = Object.fromEntries(names.map((name) => [name, keep(name)])) as Record<
    (typeof names)[number],
    (event: ExchangeEvent) => void
  >
  const channel = tracingChannel<unknown, ExchangeEvent>('fastcgi:exchange')
  channel.subscribe(handlers)
  t.teardown(() => channel.unsubscribe(handlers))
  return events
}

t.test('an exchange that is answered', async (t) => {
  const events = traced(t)
  const attempts = published<Attempt>(t, 'fastcgi:attempt')
  const script = eachRequest((_request, connection) => {
    connection.write(response('hello'), endRecord(7))
  })
  const { pool, peer } = await peerAndPool(t, script)
  const params = { REQUEST_METHOD: 'GET', SCRIPT_FILENAME: '/a.php' }
  const outcome = await sent(t, pool, { params, route: '/shop' })
  t.equal(outcome.body.toString(), 'hello')
  t.strictSame(
    events.map(([name]) => name),
    ['start', 'end', 'asyncStart', 'asyncEnd'],
  )
  const [event] = new Set(events.map(([, event]) => event))
  t.match(event, {
    role: 'responder',
    method: 'GET',
    script: '/a.php',
    route: '/shop',
    status: 200,
    appStatus: 7,
    attempts: [{ address: peer.address, outcome: 'ok' }],
  })
  t.notOk(event?.error)
  const about = { method: 'GET', script: '/a.php', route: '/shop' }
  t.strictSame(attempts, [{ ...event?.attempts[0], ...about }])
  for (const name of ['queueTime', 'connectTime', 'headTime', 'totalTime'] as const)
    t.ok((attempts[0]?.[name] ?? -1) >= 0, name)
})

t.test('a subscriber adds params, in place of those of the same name', async (t) => {
  const channel = tracingChannel<unknown, ExchangeEvent>('fastcgi:exchange')
  const start = (event: ExchangeEvent): void => {
    event.setParam('HTTP_TRACEPARENT', 'new')
    event.setParam('ADDED', 'gr\u00fcn')
  }
  channel.start.subscribe(start as never)
  t.teardown(() => channel.start.unsubscribe(start as never))
  const { pool, peer } = await peerAndPool(t, wellBehaved())
  const given = { A: '1', HTTP_TRACEPARENT: 'old', B: '2' }
  const pairs = Object.entries(given)
  const forms = [
    given,
    new Map(pairs),
    pairs,
    encodeNameValues(pairs),
    encodeNameValues([['A', '1']]),
  ]
  for (const params of forms) await sent(t, pool, { params })
  const told = peer.requests.map((request) => request.params)
  const all = { A: '1', B: '2', HTTP_TRACEPARENT: 'new', ADDED: 'gr\u00fcn' }
  t.strictSame(told.slice(0, 4), [all, all, all, all])
  t.match(told[4], { A: '1', HTTP_TRACEPARENT: 'new' })
  const nobody = new Pool('127.0.0.1:1')
  t.teardown(() => nobody.destroy())
  const { error } = await sent(t, nobody, { params: Buffer.from([200]) })
  t.match(error, { code: 'FCGI_CONNECT' }, 'a block that cannot be read is sent as it is')
})

t.test('an exchange that fails', async (t) => {
  const events = traced(t)
  const attempts = published<Attempt>(t, 'fastcgi:attempt')
  const { pool } = await peerAndPool(
    t,
    eachRequest((_request, connection) => connection.finish()),
  )
  await sent(t, pool)
  t.strictSame(
    events.map(([name]) => name),
    ['start', 'end', 'error', 'asyncStart', 'asyncEnd'],
  )
  t.match(events[0]?.[1], { error: { code: 'FCGI_PREMATURE_CLOSE' } })
  t.match(attempts, [{ reused: false, outcome: 'FCGI_PREMATURE_CLOSE' }])
  t.equal(attempts[0]?.headTime, undefined)
})

t.test('through a balancer: one exchange, every attempt, the members', async (t) => {
  const events = traced(t)
  const attempts = published<Attempt>(t, 'fastcgi:attempt')
  const members = published<MemberEvent>(t, 'fastcgi:member')
  const bad = await startPeer(eachRequest((_request, connection) => connection.finish()))
  const good = await startPeer(wellBehaved())
  t.teardown(() => Promise.all([bad.close(), good.close()]))
  const balancer = new Balancer({
    name: 'b',
    maxFailures: 1,
    members: [
      { address: bad.address, name: 'bad' },
      { address: good.address, name: 'good', lbset: 1 },
    ],
  })
  t.teardown(() => balancer.destroy())
  const outcome = await sent(t, balancer, { idempotent: true })
  t.equal(outcome.status, 200)
  t.equal(events.filter(([name]) => name === 'start').length, 1)
  const tries = [
    { address: bad.address, outcome: 'FCGI_PREMATURE_CLOSE' },
    { address: good.address, outcome: 'ok' },
  ]
  t.match(events[0]?.[1].attempts, tries)
  t.match(attempts, tries)
  t.match(
    members.map(({ member, event }) => `${member} ${event}`),
    ['bad added', 'good added', 'bad failed'],
  )
  t.match(members[2], { balancer: 'b', error: { code: 'FCGI_PREMATURE_CLOSE' } })
})

t.test('without subscribers there is nothing', async (t) => {
  const pool = new Pool('127.0.0.1:1')
  t.teardown(() => pool.destroy())
  t.match((await sent(t, pool)).error, { code: 'FCGI_CONNECT' })
})
