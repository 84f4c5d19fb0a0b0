/** Several requests at a time on one connection: who shares, which ids, in which writes. */
import { createHash, randomBytes } from 'node:crypto'
import { Socket } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { OptionError, Pool, type PoolOptions } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { Held, isAnswered, named } from '../helpers/held-requests.ts'
import { allClosed, type Outcome, peerAndPool, send, sent } from '../helpers/outcome.ts'
import { allAtOnce, endRecord, response } from '../helpers/scripted-peer.ts'
import { delay, until, within } from '../helpers/wait.ts'

const LASTING: PoolOptions = { multiplex: true, maxAge: 0, idleTimeout: 0 }

t.test('several requests on one connection, answered in any order', async (t) => {
  for (const listen of ['unix', 'tcp'] as const) {
    const held = new Held()
    const { pool, peer } = await peerAndPool(t, held.script, { ...LASTING, listen })
    const outcomes = named(t, pool, 'a', 'b', 'c')
    for (const name of ['c', 'a', 'b']) await held.answer(name)
    for (const [n, name] of ['a', 'b', 'c'].entries())
      isAnswered(t, (await outcomes[n]?.done) as Outcome, name)
    t.equal(peer.connections.length, 1)
    t.strictSame(await Promise.all(['a', 'b', 'c'].map((name) => held.id(name))), [1, 2, 3])
    t.ok(peer.requests.every(({ keepConnection }) => keepConnection))
    t.match(pool.stats, { connections: 1, idle: 1, active: 0 })
  }
})

t.test('off by default', async (t) => {
  const held = new Held()
  const { pool, peer } = await peerAndPool(t, held.script)
  const outcomes = named(t, pool, 'a', 'b')
  await held.answer('a')
  await held.answer('b')
  await Promise.all(outcomes.map(({ done }) => done))
  t.equal(peer.connections.length, 2)
  t.equal(peer.asked, 0)
})

t.test('attempts tell what is so', async (t) => {
  const held = new Held()
  const { pool } = await peerAndPool(t, held.script, LASTING)
  const [a, b] = named(t, pool, 'a', 'b')
  await held.get('b')
  const [c] = named(t, pool, 'c')
  t.match(pool.stats, { connections: 1, idle: 0, active: 3, queued: 0 })
  for (const name of ['a', 'b', 'c']) await held.answer(name)
  for (const outcome of [a, b, c]) await outcome?.done
  t.strictSame(
    [a, b, c].map((outcome) => outcome?.attempts.map(({ reused }) => reused)),
    [[false], [false], [true]],
  )
  for (const outcome of [a, b, c]) t.ok((outcome?.attempts[0]?.queueTime ?? -1) >= 0)
})

t.test('what is given up in the turn it came in is never sent', async (t) => {
  const held = new Held()
  const { pool, peer } = await peerAndPool(t, held.script, LASTING)
  const [first] = named(t, pool, 'first')
  await held.get('first')
  const [gone] = named(t, pool, 'gone')
  gone?.control.abort()
  const [second] = named(t, pool, 'second')
  t.equal((await gone?.done)?.error?.code, 'FCGI_ABORTED')
  for (const name of ['second', 'first']) await held.answer(name)
  isAnswered(t, (await first?.done) as Outcome, 'first')
  isAnswered(t, (await second?.done) as Outcome, 'second')
  t.equal(await held.id('second'), 2, 'its id is the next one’s')
  t.equal(peer.requests.length, 2)
  t.equal(peer.connections.length, 1)
})

t.test('what is sent in one turn goes out in one write', async (t) => {
  const held = new Held()
  const { pool } = await peerAndPool(t, held.script, LASTING)
  const [first] = named(t, pool, 'first')
  await held.get('first')
  const writes = countWrites(t)
  const names = Array.from({ length: 20 }, (_, n) => `${n}`)
  const outcomes = named(t, pool, ...names)
  await held.get('19')
  t.equal(writes(), 1)
  for (const name of ['first', ...names]) await held.answer(name)
  await Promise.all([first, ...outcomes].map((outcome) => outcome?.done))
})

/** How often any socket of this process has been written to. */
function countWrites(t: Test): () => number {
  let count = 0
  for (const name of ['_write', '_writev'] as const) {
    const original = Socket.prototype[name] as (...args: unknown[]) => void
    Object.defineProperty(Socket.prototype, name, {
      configurable: true,
      writable: true,
      value(...args: unknown[]) {
        count++
        return original.apply(this, args)
      },
    })
    t.teardown(() => Object.assign(Socket.prototype, { [name]: original }))
  }
  return () => count
}

t.test('maxMultiplexed: more go on a further connection, or wait', async (t) => {
  const held = new Held()
  const options = { ...LASTING, maxMultiplexed: 2, maxConnections: 2 }
  const { pool, peer } = await peerAndPool(t, held.script, options)
  const names = ['0', '1', '2', '3', '4', '5']
  const outcomes = named(t, pool, ...names)
  await held.get('3')
  t.equal(peer.connections.length, 2)
  t.match(pool.stats, { connections: 2, active: 4, queued: 2 })
  await held.answer('2')
  t.equal(await held.id('4'), 1, 'the id that has become free')
  t.notOk(held.requests.has('5'))
  for (const name of ['4', '5', '0', '1', '3']) await held.answer(name)
  for (const [n, name] of names.entries()) isAnswered(t, (await outcomes[n]?.done) as Outcome, name)
  for (const { ids } of peer.connections) t.ok(Math.max(...ids) <= 2)
})

t.test('an id is used again once END_REQUEST has come, the lowest one first', async (t) => {
  const held = new Held()
  const { pool } = await peerAndPool(t, held.script, LASTING)
  named(t, pool, 'a', 'b', 'c')
  await held.answer('b')
  await until('b being answered', () => pool.stats.active === 2)
  named(t, pool, 'd')
  t.equal(await held.id('d'), 2)
  await held.answer('a')
  await held.answer('d')
  await until('both being answered', () => pool.stats.active === 1)
  named(t, pool, 'e', 'f', 'g')
  t.strictSame(await Promise.all(['e', 'f', 'g'].map((name) => held.id(name))), [1, 2, 4])
  await pool.destroy()
})

t.test('requests that cannot be sent again share, too', async (t) => {
  const held = new Held()
  const { pool, peer } = await peerAndPool(t, held.script, LASTING)
  const a = send(t, pool, { params: { N: 'a' }, body: 'x' })
  const b = send(t, pool, { params: { N: 'b' }, body: Readable.from(['y']) })
  await held.get('b')
  const c = send(t, pool, { params: { N: 'c' }, body: Readable.from(['z']) })
  for (const name of ['a', 'b', 'c']) await held.answer(name)
  for (const outcome of [a, b, c]) t.equal((await outcome.done).error, undefined)
  t.equal(peer.connections.length, 1)
  // But they do not go on one that has been idle: it may be closed by now.
  const d = send(t, pool, { params: { N: 'd' }, body: 'x' })
  await held.answer('d')
  await d.done
  t.equal(peer.connections.length, 2)
})

t.test('uploads and small requests side by side, every body whole', async (t) => {
  const script = allAtOnce(async (request, connection) => {
    const stdin = await request.stdin()
    const digest = createHash('sha1').update(stdin).digest('hex')
    connection.write(response(digest, request.id), endRecord(0, 0, request.id))
  })
  const { pool, peer } = await peerAndPool(t, script, { ...LASTING, reuse: 'always' })
  const bodies = [5_000_000, 0, 2_000_000, 1, 65_535, 65_536, 3_000_000].map((length) =>
    randomBytes(length),
  )
  const outcomes = bodies.flatMap((body) => [
    send(t, pool, { body }),
    send(t, pool, { body: Readable.from(pieces(body)), bodyLength: body.length }),
  ])
  for (const [n, outcome] of outcomes.entries()) {
    const body = bodies[Math.floor(n / 2)] ?? ''
    isAnswered(t, await outcome.done, createHash('sha1').update(body).digest('hex'))
  }
  t.equal(peer.connections.length, 1)
})

function* pieces(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += 100_000) yield body.subarray(at, at + 100_000)
}

t.test('a body that flows slowly holds up nobody', async (t) => {
  const held = new Held()
  const { pool, peer } = await peerAndPool(t, held.script, LASTING)
  const body = new PassThrough()
  const slow = send(t, pool, { params: { N: 'slow' }, body })
  body.write('begin')
  const { request } = await held.get('slow')
  for (const name of ['a', 'b', 'c']) {
    const [outcome] = named(t, pool, name)
    await held.answer(name)
    isAnswered(t, (await outcome?.done) as Outcome, name)
  }
  body.end('end')
  t.equal(`${await within('its end', request.stdin())}`, 'beginend')
  await held.answer('slow')
  t.equal((await slow.done).error, undefined)
  t.equal(peer.connections.length, 1)
})

t.test('END_REQUEST before STDIN has ended: that connection takes nothing new', async (t) => {
  const held = new Held()
  const { pool, peer } = await peerAndPool(t, held.script, LASTING)
  const body = new PassThrough()
  body.write('begin')
  const early = send(t, pool, { params: { N: 'early' }, body })
  const [other] = named(t, pool, 'other')
  await held.get('other')
  await held.answer('early')
  t.equal((await early.done).error, undefined)
  const [next] = named(t, pool, 'next')
  t.equal((await held.get('next')).connection.index, 1)
  await held.answer('other')
  isAnswered(t, (await other?.done) as Outcome, 'other')
  await within('the end of the first', peer.connections[0]?.closed as Promise<void>)
  await held.answer('next')
  isAnswered(t, (await next?.done) as Outcome, 'next')
})

t.test(
  'maxRequests and maxAge: closed with the last of them, with KEEP_CONN to the end',
  async (t) => {
    for (const options of [{ maxRequests: 3 }, { maxAge: 200 }]) {
      const held = new Held()
      const { pool, peer } = await peerAndPool(t, held.script, { ...LASTING, ...options })
      const outcomes = named(t, pool, 'a', 'b', 'c')
      await held.get('c')
      await delay(250)
      outcomes.push(...named(t, pool, 'd'))
      t.equal((await held.get('d')).connection.index, 1)
      for (const name of ['a', 'b', 'c']) await held.answer(name)
      await within('its end', peer.connections[0]?.closed as Promise<void>)
      await held.answer('d')
      for (const outcome of outcomes) t.equal((await outcome.done).error, undefined)
      t.ok(peer.requests.every(({ keepConnection }) => keepConnection))
    }
  },
)

t.test('a connection that answers is not closed for one that has not yet', async (t) => {
  const held = new Held()
  const { pool } = await peerAndPool(t, held.script, { ...LASTING, maxMultiplexed: 2, fairness: 1 })
  const [a, b] = named(t, pool, 'a', 'b', 'slow') as [Outcome, Outcome]
  await held.answer('a')
  isAnswered(t, await a.done, 'a')
  await delay(100)
  await held.answer('b')
  isAnswered(t, await b.done, 'b')
  await delay(20)
  t.match(pool.stats, { connections: 2, idle: 1, active: 1, limit: 64 })
  await pool.destroy()
})

t.test('close() waits for all of them, destroy() fails all of them', async (t) => {
  const held = new Held()
  const { pool, peer } = await peerAndPool(t, held.script, LASTING)
  const outcomes = named(t, pool, 'a', 'b')
  await held.get('b')
  const closed = pool.close()
  const late = await sent(t, pool)
  t.match(late.error, { code: 'FCGI_CLOSED' })
  await held.answer('a')
  await held.answer('b')
  for (const [n, name] of ['a', 'b'].entries())
    isAnswered(t, (await outcomes[n]?.done) as Outcome, name)
  await within('the close', closed)
  await allClosed(peer)

  const other = await peerAndPool(t, new Held().script, LASTING)
  const all = named(t, other.pool, 'a', 'b', 'c')
  await until('the connection', () => other.peer.requests.length === 3)
  await other.pool.destroy()
  for (const outcome of all) t.match((await outcome.done).error, { code: 'FCGI_CLOSED' })
  await allClosed(other.peer)
})

t.test('not without kept connections', async (t) => {
  for (const multiplex of [true, 'auto'] as const)
    t.throws(
      () => new Pool('127.0.0.1:1', { multiplex, reuse: false }),
      new OptionError('Pool: option multiplex needs connections that are kept (option reuse)'),
    )
})
