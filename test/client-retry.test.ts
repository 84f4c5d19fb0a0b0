/** What is tried again: only what left nothing of a response and cannot be done twice by it. */
import { rmSync } from 'node:fs'
import { Readable } from 'node:stream'
import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { allClosed, type Outcome, peerAndPool, poolOf, sent } from './helpers/outcome.ts'
import {
  eachRequest,
  endRecord,
  type PeerConnection,
  type PeerRequest,
  response,
  startPeer,
} from './helpers/scripted-peer.ts'
import { until } from './helpers/wait.ts'

const CANT_MPX_CONN = 1

/** Answers with STDIN's length, but leaves the first requests to another function. */
function after(count: number, first: (connection: PeerConnection, request: PeerRequest) => void) {
  let seen = 0
  return eachRequest(async (request, connection) => {
    const stdin = await request.stdin()
    if (seen++ < count) first(connection, request)
    else connection.write(response(`${stdin.length}`), endRecord())
  })
}

function isPremature(t: Test, { error }: Outcome): void {
  t.match(error, { code: 'FCGI_PREMATURE_CLOSE' })
}

for (const listen of ['unix', 'tcp'] as const)
  t.test(`the application closes an idle connection just when it is used, ${listen}`, async (t) => {
    const open = async (t: Test) => {
      const context = await peerAndPool(t, after(0, () => {}), { listen })
      await sent(t, context.pool)
      t.equal(context.pool.stats.idle, 1)
      // The client has no chance to see it before it writes: both happen in one turn of the event loop.
      context.peer.connections[0]?.destroy()
      return context
    }
    t.test('idempotent: tried again on a fresh connection', async (t) => {
      const { pool, peer } = await open(t)
      const begun = performance.now()
      const outcome = await sent(t, pool, { idempotent: true, body: 'abc' })
      t.ok(performance.now() - begun < 500, 'at once')
      t.strictSame([outcome.error, outcome.body.toString()], [undefined, '3'])
      t.strictSame(
        outcome.attempts.map(({ reused }) => reused),
        [true, false],
      )
      t.equal(peer.connections.length, 2)
      t.match(pool.stats, { requests: 2, retries: 1, failed: 0 })
    })
    t.test('not idempotent: FCGI_PREMATURE_CLOSE', async (t) => {
      const { pool, peer } = await open(t)
      isPremature(t, await sent(t, pool, { body: 'abc' }))
      t.equal(peer.connections.length, 1)
      t.match(pool.stats, { requests: 2, retries: 0, failed: 1 })
    })
    t.test('idempotent, but the body is a stream that was touched', async (t) => {
      const { pool, peer } = await open(t)
      isPremature(t, await sent(t, pool, { idempotent: true, body: Readable.from(['abc']) }))
      t.equal(peer.connections.length, 1)
    })
    t.test('retries: 0', async (t) => {
      const { peer } = await peerAndPool(t, after(1, (connection) => connection.destroy()), { listen })
      isPremature(t, await sent(t, poolOf(t, peer.address, { retries: 0 }), { idempotent: true }))
      t.equal(peer.requests.length, 1)
    })
  })

t.test('a request that was read is tried again only when it is idempotent', async (t) => {
  for (const idempotent of [true, false]) {
    const script = after(1, (connection) => connection.finish())
    const { pool, peer } = await peerAndPool(t, script)
    const outcome = await sent(t, pool, { idempotent })
    t.equal(outcome.error?.code, idempotent ? undefined : 'FCGI_PREMATURE_CLOSE')
    t.equal(peer.requests.length, idempotent ? 2 : 1)
  }
})

t.test('a body in memory is sent again as it was', async (t) => {
  const body = randomBytes(300_000)
  const seen: Buffer[] = []
  const script = eachRequest(async (request, connection) => {
    seen.push(await request.stdin())
    if (seen.length < 3) connection.finish()
    else connection.write(response(), endRecord())
  })
  const { pool, peer } = await peerAndPool(t, script, { retries: 5 })
  const params = { REQUEST_METHOD: 'PUT', CONTENT_LENGTH: body.length }
  const outcome = await sent(t, pool, { params, body, idempotent: true })
  t.equal(outcome.error, undefined)
  t.equal(seen.length, 3)
  t.ok(seen.every((stdin) => stdin.equals(body)))
  t.strictSame(peer.requests[2]?.params, peer.requests[0]?.params)
})

t.test('no more often than `retries` says', async (t) => {
  const { pool, peer } = await peerAndPool(t, after(99, (connection) => connection.finish()), {
    retries: 3,
  })
  isPremature(t, await sent(t, pool, { idempotent: true }))
  t.equal(peer.requests.length, 4)
  t.match(pool.stats, { retries: 3, failed: 1 })
})

t.test('nothing is tried again after anything of a response', async (t) => {
  const firsts = {
    'a byte of a head': (connection: PeerConnection) => connection.stdout('S'),
    'a head': (connection: PeerConnection) => connection.stdout('X: 1\n\n'),
    'a line of stderr': (connection: PeerConnection) => connection.stderr('PHP message'),
    'a part of a record': (connection: PeerConnection) => connection.write(Buffer.from([1, 6])),
    'an empty STDOUT': (connection: PeerConnection) => connection.stdout(''),
  }
  for (const [name, first] of Object.entries(firsts)) {
    const script = after(1, (connection) => {
      first(connection)
      connection.finish()
    })
    const { pool, peer } = await peerAndPool(t, script)
    isPremature(t, await sent(t, pool, { idempotent: true }))
    t.equal(peer.requests.length, 1, name)
  }
})

t.test('CANT_MPX_CONN', async (t) => {
  const refuse = (connection: PeerConnection) => void connection.end(0, CANT_MPX_CONN)
  t.test('says that nothing was begun: tried again on a fresh connection', async (t) => {
    const { pool, peer } = await peerAndPool(t, after(1, refuse))
    const outcome = await sent(t, pool, { body: 'abc' })
    t.equal(outcome.body.toString(), '3')
    t.strictSame([peer.connections.length, peer.requests.length], [2, 2])
    t.match(pool.stats, { connections: 1, idle: 1, retries: 1 })
  })
  t.test('once', async (t) => {
    const { pool, peer } = await peerAndPool(t, after(99, refuse))
    t.match((await sent(t, pool)).error, { code: 'FCGI_PROTOCOL', message: /CANT_MPX_CONN/ })
    t.equal(peer.requests.length, 2)
  })
  t.test('says it of that attempt only', async (t) => {
    let seen = 0
    const script = eachRequest(async (request, connection) => {
      await request.stdin()
      if (seen++ === 0) refuse(connection)
      else connection.finish()
    })
    const { pool, peer } = await peerAndPool(t, script, { retries: 5 })
    isPremature(t, await sent(t, pool))
    t.equal(peer.requests.length, 2, 'the second time it may have been begun')
  })
  t.test('with a stream as body: it cannot be sent again', async (t) => {
    const { pool, peer } = await peerAndPool(t, after(1, refuse))
    t.match((await sent(t, pool, { body: Readable.from(['abc']) })).error, { code: 'FCGI_PROTOCOL' })
    t.equal(peer.requests.length, 1)
  })
})

t.test('OVERLOADED and broken protocol are not tried again', async (t) => {
  const firsts = [
    (connection: PeerConnection) => connection.end(0, 2),
    (connection: PeerConnection) => connection.write(Buffer.from('HTTP/1.1 400 no\r\n')),
  ]
  for (const first of firsts) {
    const { pool, peer } = await peerAndPool(t, after(1, first))
    t.ok((await sent(t, pool, { idempotent: true })).error)
    t.equal(peer.requests.length, 1)
  }
})

t.test('no connection: tried once more, whatever the request, then ConnectError', async (t) => {
  const peer = await startPeer(eachRequest(() => {}))
  const pool = poolOf(t, peer.address)
  await peer.close()
  const body = Readable.from(['never read'])
  const outcome = await sent(t, pool, { body })
  t.match(outcome.error, { code: 'FCGI_CONNECT' })
  t.equal(outcome.attempts.length, 0, 'nothing was sent')
  t.match(pool.stats, { retries: 1, failed: 1, connections: 0 })
  t.notOk(body.destroyed || body.readableFlowing, 'the body was not touched')
})

t.test('a connection lost in the queue of the kernel costs the request nothing', async (t) => {
  const { pool, peer } = await peerAndPool(t, after(0, () => {}))
  await sent(t, pool)
  peer.connections[0]?.destroy()
  await until('the idle connection being noticed', () => pool.stats.idle === 0)
  const outcome = await sent(t, pool, { body: 'not idempotent' })
  t.equal(outcome.body.toString(), '14')
  t.equal(outcome.attempts.length, 1)
})

t.test('the socket of an application that is started anew is found again', { skip: process.platform === 'win32' }, async (t) => {
  const { pool, peer } = await peerAndPool(t, after(0, () => {}))
  await sent(t, pool)
  const path = peer.address.slice('unix:'.length)
  rmSync(path)
  t.equal((await sent(t, pool)).status, 200, 'the kept connection still is good')
  await pool.destroy()
  await allClosed(peer)
})
