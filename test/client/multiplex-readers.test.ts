/** A reader that pauses holds up the others on its connection within bounds: of bytes, then of time. */
import { randomBytes } from 'node:crypto'
import { type PoolOptions, SlowReaderError } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { Held, isAnswered, named } from '../helpers/held-requests.ts'
import { type Outcome, peerAndPool, send } from '../helpers/outcome.ts'
import { endRecord, stdoutRecords } from '../helpers/scripted-peer.ts'
import { delay, until, within } from '../helpers/wait.ts'

const LASTING: PoolOptions = { multiplex: true, maxAge: 0, idleTimeout: 0 }
const HEAD = 'Content-Type: text/plain\r\n\r\n'

/** A request `slow`, whose reader pauses at the first byte, and one beside it. */
async function slowAndOther(t: Test, options: PoolOptions) {
  const held = new Held()
  const context = await peerAndPool(t, held.script, { ...LASTING, ...options })
  const [other] = named(t, context.pool, 'other') as [Outcome]
  const slow = send(t, context.pool, { params: { N: 'slow' } }, { onData: () => false })
  const { connection, request } = await held.get('slow')
  await held.get('other')
  const write = (bytes: Buffer) => connection.write(stdoutRecords(bytes, request.id))
  connection.write(stdoutRecords(HEAD, request.id))
  return { ...context, held, other, slow, connection, request, write }
}

t.test('up to maxPausedSize the others go on', async (t) => {
  const context = await slowAndOther(t, { maxPausedSize: 500_000 })
  const { pool, held, other, slow, request, connection, write } = context
  write(randomBytes(400_000))
  await until('all of it', () => slow.body.length === 400_000)
  await held.answer('other')
  isAnswered(t, await other.done, 'other')
  const [next] = named(t, pool, 'next') as [Outcome]
  await held.answer('next')
  isAnswered(t, await next.done, 'next')
  connection.write(endRecord(0, 0, request.id))
  t.equal((await slow.done).error, undefined, 'what fits does not hold up its own end')
  t.equal(context.peer.connections.length, 1)
})

t.test('beyond it reading waits, and goes on with the reader; nothing is lost', async (t) => {
  const context = await slowAndOther(t, { maxPausedSize: 100_000 })
  const { pool, held, other, slow, request, connection, peer, write } = context
  const whole = randomBytes(3_000_000)
  write(whole)
  await until('more than that', () => slow.body.length > 100_000)
  await held.answer('other')
  await delay(50)
  t.equal(other.ended, false)
  t.ok(slow.body.length <= 100_000 + 2 * 65_536, `${slow.body.length} bytes read on`)
  const [next] = named(t, pool, 'next') as [Outcome]
  t.equal((await held.get('next')).connection.index, 1, 'nobody new joins it')
  connection.write(endRecord(0, 0, request.id))
  const reader = setInterval(() => slow.control.resume(), 1)
  t.teardown(() => clearInterval(reader))
  isAnswered(t, await other.done, 'other')
  t.equal((await slow.done).error, undefined)
  t.ok(slow.body.equals(whole))
  await held.answer('next')
  isAnswered(t, await next.done, 'next')
  t.equal(peer.connections.length, 2)
})

const NAMES = {
  'timeouts.multiplexReader': { multiplexReader: 100 },
  'its former name': { reader: 100 },
  'both names, the current one before the former': { multiplexReader: 100, reader: 60_000 },
}
for (const [name, timeouts] of Object.entries(NAMES))
  t.test(`a reader that does not go on is given up after ${name}`, async (t) => {
    const context = await slowAndOther(t, { maxPausedSize: 100_000, timeouts })
    const { pool, held, other, slow, request, peer, write } = context
    write(randomBytes(3_000_000))
    await held.answer('other')
    const { error } = await slow.done
    t.ok(error instanceof SlowReaderError, String(error))
    t.match(
      error?.message,
      /not read for 100 ms \(option timeouts.multiplexReader\).*maxPausedSize/,
    )
    await within('ABORT_REQUEST', request.aborted)
    isAnswered(t, await other.done, 'other')
    t.match(pool.stats, { failed: 1, connections: 1 })
    t.equal(peer.connections.length, 1)
  })

t.test('giving up the one that blocks lets the others go on', async (t) => {
  const { held, other, slow, write } = await slowAndOther(t, { maxPausedSize: 0 })
  write(randomBytes(1_000_000))
  await until('a beginning', () => slow.body.length > 0)
  await held.answer('other')
  await delay(20)
  t.equal(other.ended, false)
  slow.control.abort()
  isAnswered(t, await other.done, 'other')
})

t.test('alone on its connection, a reader may take its time', async (t) => {
  const held = new Held()
  const timeouts = { multiplexReader: 50, idle: 50 }
  const { pool } = await peerAndPool(t, held.script, {
    ...LASTING,
    maxPausedSize: 100_000,
    timeouts,
  })
  const slow = send(t, pool, { params: { N: 'slow' } }, { onData: () => false })
  const { connection, request } = await held.get('slow')
  const whole = randomBytes(1_000_000)
  const parts = [HEAD, whole].map((part) => stdoutRecords(part, request.id))
  connection.write(...parts, endRecord(0, 0, request.id))
  await until('a beginning', () => slow.body.length > 0)
  await delay(300)
  t.equal(slow.ended, false)
  t.ok(slow.body.length < 300_000, `${slow.body.length} bytes read`)
  const reader = setInterval(() => slow.control.resume(), 1)
  t.teardown(() => clearInterval(reader))
  t.equal((await slow.done).error, undefined)
  t.ok(slow.body.equals(whole))
})

t.test('timeouts of the others do not run while reading waits, and run after it', async (t) => {
  const context = await slowAndOther(t, { maxPausedSize: 0 })
  const { pool, held, slow, write } = context
  const other = send(t, pool, { params: { N: 'timed' }, timeouts: { head: 100 } })
  await held.get('timed')
  write(randomBytes(1_000_000))
  await until('a beginning', () => slow.body.length > 0)
  await delay(300)
  t.equal(other.ended, false)
  slow.control.abort()
  t.match((await other.done).error, { code: 'FCGI_TIMEOUT', phase: 'head' })
  await pool.destroy()
})
