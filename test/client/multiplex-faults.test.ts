/** What one multiplexed request does, or suffers, is its own affair; what breaks the connection is everybody's. */
import { PassThrough, Readable } from 'node:stream'
import { Balancer, type PoolOptions, RequestBodyError } from '@fastcgi/client'
import { RecordType } from '@fastcgi/protocol'
import t, { type Test } from 'tap'
import { Held, isAnswered, named } from '../helpers/held-requests.ts'
import { allClosed, type Outcome, peerAndPool, send, sent } from '../helpers/outcome.ts'
import {
  eachRequest,
  endRecord,
  record,
  response,
  type Script,
  stdoutRecords,
} from '../helpers/scripted-peer.ts'
import { delay, until, within } from '../helpers/wait.ts'

const LASTING: PoolOptions = { multiplex: true, maxAge: 0, idleTimeout: 0 }
const [CANT_MPX_CONN, OVERLOADED, UNKNOWN_ROLE] = [1, 2, 3]

/** Three requests on one connection: `victim`, which a test treats badly, and two more. */
async function three(t: Test, options: PoolOptions = {}) {
  const held = new Held()
  const context = await peerAndPool(t, held.script, { ...LASTING, ...options })
  const [victim, ...others] = named(t, context.pool, 'victim', 'a', 'b') as [Outcome, ...Outcome[]]
  const { request, connection } = await held.get('victim')
  await held.get('b')
  return { ...context, held, victim, others, request, connection }
}

/** The others get their answers, on the one connection. */
async function othersGoOn(t: Test, { held, others, peer }: Awaited<ReturnType<typeof three>>) {
  for (const name of ['a', 'b']) await held.answer(name)
  for (const [n, name] of ['a', 'b'].entries())
    isAnswered(t, (await others[n]?.done) as Outcome, name)
  t.equal(peer.connections.length, 1)
}

t.test('abort: ABORT_REQUEST, and what still comes for it is dropped', async (t) => {
  const context = await three(t)
  const { pool, held, victim, request, connection } = context
  victim.control.abort()
  t.match((await victim.done).error, { code: 'FCGI_ABORTED' })
  t.match(pool.stats, { connections: 1, active: 2, failed: 1 })
  await within('ABORT_REQUEST', request.aborted)
  named(t, pool, 'next')
  t.equal(await held.id('next'), 4, 'its id is taken until END_REQUEST')
  connection.write(response('too late', request.id), endRecord(0, 0, request.id))
  await othersGoOn(t, context)
  named(t, pool, 'last')
  t.equal(await held.id('last'), 1, 'and free then')
  t.equal(connection.isClosed, false)
  await pool.destroy()
})

t.test('abort of the last one closes the connection', async (t) => {
  const held = new Held()
  const { pool, peer } = await peerAndPool(t, held.script, LASTING)
  const [a, b] = named(t, pool, 'a', 'b') as [Outcome, Outcome]
  await held.get('b')
  a.control.abort()
  b.control.abort()
  t.equal(pool.stats.connections, 0)
  await allClosed(peer)
})

t.test('abort before the connection stands', async (t) => {
  const held = new Held()
  const { pool, peer } = await peerAndPool(t, held.script, LASTING)
  const [a, b, c] = named(t, pool, 'a', 'b', 'c') as [Outcome, Outcome, Outcome]
  a.control.abort()
  b.control.abort()
  await held.answer('c')
  isAnswered(t, await c.done, 'c')
  t.equal(peer.requests.length, 1)
  const [d] = named(t, pool, 'd') as [Outcome]
  await held.get('d')
  d.control.abort()
  const [e] = named(t, pool, 'e') as [Outcome]
  e.control.abort()
  await allClosed(peer)
  t.equal(pool.stats.connections, 0)
})

t.test('an application that ignores ABORT_REQUEST: nothing new on that connection', async (t) => {
  const context = await three(t, { timeouts: { abort: 50 } })
  const { pool, held, victim, peer, connection, request } = context
  victim.control.abort()
  await within('ABORT_REQUEST', request.aborted)
  await delay(100)
  const [next] = named(t, pool, 'next') as [Outcome]
  t.equal((await held.get('next')).connection.index, 1)
  connection.write(response('still at it', request.id))
  for (const name of ['a', 'b', 'next']) await held.answer(name)
  for (const outcome of [...context.others, next]) t.equal((await outcome.done).error, undefined)
  await within('the end of the connection', connection.closed)
  t.equal(peer.connections[1]?.isClosed, false)
})

t.test('its timeout: ABORT_REQUEST, and the others go on', async (t) => {
  const held = new Held()
  const { pool, peer } = await peerAndPool(t, held.script, LASTING)
  const timeouts = { head: 50 }
  const others = named(t, pool, 'a', 'b')
  const victim = send(t, pool, { params: { N: 'victim' }, timeouts })
  const { request, connection } = await held.get('victim')
  t.match((await victim.done).error, { code: 'FCGI_TIMEOUT', phase: 'head' })
  await within('ABORT_REQUEST', request.aborted)
  await othersGoOn(t, { pool, peer, held, victim, others, request, connection })
})

t.test('a malformed head, or STDOUT after its end: the others go on', async (t) => {
  const wrong = {
    head: (id: number) => stdoutRecords('no field at all\r\n\r\n', id),
    stdout: (id: number) =>
      Buffer.concat([
        response('x', id),
        record(RecordType.STDOUT, '', { id }),
        stdoutRecords('more', id),
      ]),
  }
  for (const [name, bytes] of Object.entries(wrong))
    t.test(name, async (t) => {
      const context = await three(t)
      const { victim, connection, request } = context
      connection.write(bytes(request.id))
      t.match((await victim.done).error, { code: 'FCGI_PROTOCOL' })
      await within('ABORT_REQUEST', request.aborted)
      await othersGoOn(t, context)
    })
})

t.test('a handler that throws fails its own request', async (t) => {
  const held = new Held()
  const { pool, peer } = await peerAndPool(t, held.script, LASTING)
  const onHead = (): void => {
    throw new Error('my mistake')
  }
  const others = named(t, pool, 'a', 'b')
  const victim = send(t, pool, { params: { N: 'victim' } }, { onHead })
  await held.answer('victim')
  t.match((await victim.done).error, { code: 'FCGI_HANDLER' })
  const { request, connection } = await held.get('victim')
  await othersGoOn(t, { pool, peer, held, victim, others, request, connection })
})

t.test('a body that breaks off: ABORT_REQUEST, never the end of STDIN', async (t) => {
  const held = new Held()
  const { pool, peer } = await peerAndPool(t, held.script, LASTING)
  const others = named(t, pool, 'a', 'b')
  const body = new PassThrough()
  const victim = send(t, pool, { params: { N: 'victim' }, body, bodyLength: 10 })
  body.write('12345')
  const { request, connection } = await held.get('victim')
  await until('half of it', () => request.stdinLength === 5)
  body.destroy()
  const { error } = await victim.done
  t.ok(error instanceof RequestBodyError)
  await within('ABORT_REQUEST', request.aborted)
  t.notOk(request.stdinEnded)
  await othersGoOn(t, { pool, peer, held, victim, others, request, connection })
})

t.test('ended with OVERLOADED, UNKNOWN_ROLE or without output: the others go on', async (t) => {
  const codes = {
    [OVERLOADED]: 'FCGI_OVERLOADED',
    [UNKNOWN_ROLE]: 'FCGI_PROTOCOL',
    0: 'FCGI_PROTOCOL',
  }
  for (const [status, code] of Object.entries(codes))
    t.test(`status ${status}`, async (t) => {
      const context = await three(t)
      const { pool, held, victim, connection, request } = context
      connection.write(endRecord(0, Number(status), request.id))
      t.match((await victim.done).error, { code })
      named(t, pool, 'next')
      t.equal(await held.id('next'), 1, 'on this connection, under its id')
      await othersGoOn(t, context)
      await pool.destroy()
    })
})

t.test('OVERLOADED: the next member takes it', async (t) => {
  const full = new Held()
  const free = new Held()
  const members = [await peerAndPool(t, full.script), await peerAndPool(t, free.script)]
  const [first, second] = members.map(({ peer }) => peer.address)
  const balancer = new Balancer({
    ...LASTING,
    members: [{ address: first ?? '' }, { address: second ?? '', role: 'spare' }],
  })
  t.teardown(() => balancer.destroy())
  const [a, b] = named(t, balancer, 'a', 'b') as [Outcome, Outcome]
  const { connection, request } = await full.get('a')
  connection.write(endRecord(0, OVERLOADED, request.id))
  await free.answer('a', 'from the other')
  isAnswered(t, await a.done, 'from the other')
  await full.answer('b')
  isAnswered(t, await b.done, 'b')
})

t.test(
  'CANT_MPX_CONN: again on a connection of its own, and no sharing from then on',
  async (t) => {
    const busy = new Set<number>()
    const script: Script = eachRequest(async (request, connection) => {
      if (busy.has(connection.index)) {
        connection.write(endRecord(0, CANT_MPX_CONN, request.id))
        return
      }
      busy.add(connection.index)
      void request.stdin().then(async () => {
        await delay(20)
        busy.delete(connection.index)
        connection.write(response(`${request.params.N}`, request.id), endRecord(0, 0, request.id))
      })
    })
    const { pool, peer } = await peerAndPool(t, script, LASTING)
    const names = ['a', 'b', 'c', 'd']
    const first = names.map((N) => send(t, pool, { params: { N }, body: 'cannot be sent twice' }))
    for (const [n, name] of names.entries()) isAnswered(t, (await first[n]?.done) as Outcome, name)
    t.equal(peer.connections.length, 4)
    t.equal(pool.stats.retries, 3)
    const more = named(t, pool, ...names)
    for (const [n, name] of names.entries()) isAnswered(t, (await more[n]?.done) as Outcome, name)
    t.equal(pool.stats.retries, 3, 'nothing was refused any more')
    t.equal(pool.stats.failed, 0)
  },
)

t.test('a record for nobody: all of them fail, what was complete is delivered', async (t) => {
  const surplus = {
    'an id that was never used': (id: number) => stdoutRecords('x', id + 60),
    'an id that has ended': (id: number) => stdoutRecords('x', id),
    'END_REQUEST twice': (id: number) => endRecord(0, 0, id),
    'no version 1': (id: number) => record(RecordType.STDOUT, 'x', { id, version: 2 }),
    STDIN: (id: number) => record(RecordType.STDIN, 'x', { id }),
  }
  for (const [name, bytes] of Object.entries(surplus))
    t.test(name, async (t) => {
      const context = await three(t)
      const { victim, others, connection, request, pool } = context
      const all = [response('whole', request.id), endRecord(0, 0, request.id), bytes(request.id)]
      connection.write(...all)
      isAnswered(t, await victim.done, 'whole')
      for (const other of others) t.match((await other.done).error, { code: 'FCGI_PROTOCOL' })
      await within('the end of the connection', connection.closed)
      t.equal(pool.stats.connections, 0)
    })
})

t.test('the connection breaks: what can be sent again is, once and on a newer one', async (t) => {
  const held = new Held()
  const { pool, peer } = await peerAndPool(t, held.script, LASTING)
  named(t, pool, 'warm')
  await held.answer('warm')
  await until('it being idle', () => pool.stats.idle === 1)
  const again = named(t, pool, 'a', 'b')
  const begun = send(t, pool, { params: { N: 'begun' }, idempotent: true })
  const once = send(t, pool, { params: { N: 'once' }, body: Readable.from(['x']) })
  const { connection, request } = await held.get('begun')
  await held.get('once')
  connection.write(response('half', request.id))
  await until('the half', () => begun.status === 200)
  held.requests.clear()
  connection.destroy()
  for (const outcome of [begun, once])
    t.match((await outcome.done).error, { code: 'FCGI_PREMATURE_CLOSE' })
  for (const name of ['a', 'b']) await held.answer(name)
  for (const [n, name] of ['a', 'b'].entries())
    isAnswered(t, (await again[n]?.done) as Outcome, name)
  t.equal(peer.connections.length, 2, 'they share the new one')
  t.equal(pool.stats.retries, 2)
})

t.test(
  'several connections break at once: the second try is not made on the next dead one',
  async (t) => {
    for (const reverse of [false, true]) {
      const held = new Held()
      const options = { ...LASTING, maxMultiplexed: 2 }
      const { pool, peer } = await peerAndPool(t, held.script, options)
      const names = ['a', 'b', 'c']
      named(t, pool, ...names)
      for (const name of names) await held.answer(name)
      await until('both being idle', () => pool.stats.idle === 2)
      held.requests.clear()
      const outcomes = named(t, pool, ...names)
      for (const name of names) await held.get(name)
      t.equal(peer.connections.length, 2)
      held.requests.clear()
      const all = [...peer.connections]
      for (const connection of reverse ? all.reverse() : all) connection.destroy()
      for (const name of names) await held.answer(name)
      for (const [n, name] of names.entries())
        isAnswered(t, (await outcomes[n]?.done) as Outcome, name)
    }
  },
)

t.test('no connection can be made: all that wait for it are told', async (t) => {
  const { pool, peer } = await peerAndPool(t, new Held().script, { ...LASTING, listen: 'tcp' })
  await peer.close()
  const outcomes = named(t, pool, 'a', 'b', 'c')
  for (const outcome of outcomes) t.match((await outcome.done).error, { code: 'FCGI_CONNECT' })
  t.equal(new Set(outcomes.map(({ error }) => error)).size, 3, 'each its own error')
})

t.test(
  'an application that closes while many are sent: nothing hangs, nothing is lost',
  async (t) => {
    for (const listen of ['unix', 'tcp'] as const) {
      let count = 0
      const script: Script = eachRequest(async (request, connection) => {
        const stdin = await request.stdin()
        connection.write(response(`${stdin.length}`, request.id), endRecord(0, 0, request.id))
        if (++count % 7 === 0) connection.finish()
      })
      const { pool } = await peerAndPool(t, script, { ...LASTING, listen, retries: 50 })
      const outcomes = Array.from({ length: 200 }, () =>
        sent(t, pool, { idempotent: true, body: 'abc' }),
      )
      const codes = new Map<string, number>()
      for (const { error, body } of await Promise.all(outcomes)) {
        const what = error?.code ?? body.toString()
        codes.set(what, (codes.get(what) ?? 0) + 1)
      }
      codes.delete('FCGI_PREMATURE_CLOSE')
      t.strictSame([...codes.keys()], ['3'])
      t.match(pool.stats, { active: 0, queued: 0 })
    }
  },
)
