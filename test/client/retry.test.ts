/** What is tried again: only what left nothing of a response and cannot be done twice by it. */

import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { Readable } from 'node:stream'
import type { PoolOptions } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { allClosed, type Outcome, peerAndPool, poolOf, sent } from '../helpers/outcome.ts'
import {
  eachRequest,
  endRecord,
  type PeerConnection,
  type PeerRequest,
  response,
  type Script,
  startPeer,
} from '../helpers/scripted-peer.ts'
import { scaled } from '../helpers/time-limit.ts'
import { until } from '../helpers/wait.ts'

const CANT_MPX_CONN = 1

/** Idle connections stay until something else closes them. */
const LASTING = { maxAge: 0, idleTimeout: 0, fairness: 60_000 }

/** Answers with STDIN's length, but leaves the first requests, warming up apart, to another function. */
function after(count: number, first: (connection: PeerConnection, request: PeerRequest) => void) {
  let seen = 0
  return eachRequest(async (request, connection) => {
    const stdin = await request.stdin()
    if (request.params.WARM === undefined && seen++ < count) first(connection, request)
    else connection.write(response(`${stdin.length}`), endRecord())
  })
}

/** A pool that keeps a connection, to an application that treats the next requests as {@link after} says. */
async function keeping(t: Test, script: Script, options: PoolOptions = {}) {
  const context = await peerAndPool(t, script, { ...LASTING, ...options })
  await sent(t, context.pool, { params: { WARM: 1 } })
  t.equal(context.pool.stats.idle, 1)
  return context
}

function isPremature(t: Test, { error }: Outcome): void {
  t.match(error, { code: 'FCGI_PREMATURE_CLOSE' })
}

for (const listen of ['unix', 'tcp'] as const)
  t.test(`the application closes an idle connection just when it is used, ${listen}`, async (t) => {
    const open = async (t: Test, options: PoolOptions = {}) => {
      const context = await peerAndPool(
        t,
        after(0, () => {}),
        { listen, ...options },
      )
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
      t.ok(performance.now() - begun < scaled(500), 'at once')
      t.strictSame([outcome.error, outcome.body.toString()], [undefined, '3'])
      t.strictSame(
        outcome.attempts.map(({ reused }) => reused),
        [true, false],
      )
      t.equal(peer.connections.length, 2)
      t.match(pool.stats, { requests: 2, retries: 1, failed: 0 })
    })
    t.test('what cannot be sent again never goes on a kept connection', async (t) => {
      const requests = [
        { body: 'abc' },
        { body: Readable.from(['abc']) },
        { idempotent: true, body: Readable.from(['abc']) },
      ]
      for (const request of requests) {
        const { pool, peer } = await open(t)
        const outcome = await sent(t, pool, request)
        t.strictSame([outcome.error, outcome.body.toString()], [undefined, '3'])
        t.strictSame(
          outcome.attempts.map(({ reused }) => reused),
          [false],
        )
        t.equal(peer.connections.length, 2)
        t.match(pool.stats, { requests: 2, retries: 0, failed: 0, idle: 1 })
      }
    })
    t.test("unless reuse is 'always'", async (t) => {
      const { pool, peer } = await open(t, { reuse: 'always' })
      const outcome = await sent(t, pool, { body: Readable.from(['abc']) })
      // A closed unix socket takes nothing, a TCP connection that the other side closed does.
      if (listen === 'unix') t.equal(outcome.body.toString(), '3')
      else isPremature(t, outcome)
      t.equal(peer.connections.length, listen === 'unix' ? 2 : 1)
    })
    t.test(
      'several of them at once: the second try is not made on the next dead one',
      async (t) => {
        for (const idempotent of [true, false]) {
          const { pool, peer } = await peerAndPool(
            t,
            after(0, () => {}),
            { listen, ...LASTING },
          )
          await Promise.all(Array.from({ length: 5 }, () => sent(t, pool)))
          t.equal(pool.stats.idle, 5)
          for (const connection of peer.connections) connection.destroy()
          t.equal((await sent(t, pool, { idempotent })).error, undefined)
          t.equal(peer.connections.length, 6)
        }
      },
    )
    t.test('with every END_REQUEST, while requests wait', async (t) => {
      for (const idempotent of [true, false]) {
        const script = eachRequest((_request, connection) => {
          connection.write(response(), endRecord())
          connection.finish()
        })
        const { pool } = await peerAndPool(t, script, { listen, maxConnections: 2 })
        const all = Array.from({ length: 50 }, () => sent(t, pool, { idempotent }))
        for (const outcome of await Promise.all(all))
          if (outcome.error) t.fail(String(outcome.error))
        t.match(pool.stats, { requests: 50, failed: 0 })
      }
    })
    t.test('retries: 0', async (t) => {
      const { peer } = await peerAndPool(
        t,
        after(1, (connection) => connection.destroy()),
        { listen },
      )
      isPremature(t, await sent(t, poolOf(t, peer.address, { retries: 0 }), { idempotent: true }))
      t.equal(peer.requests.length, 1)
    })
  })

t.test(
  'a request that was read on a kept connection is tried again when it is idempotent',
  async (t) => {
    for (const idempotent of [true, false]) {
      const { pool, peer } = await keeping(
        t,
        after(1, (connection) => connection.finish()),
      )
      const outcome = await sent(t, pool, { idempotent })
      t.equal(outcome.error?.code, idempotent ? undefined : 'FCGI_PREMATURE_CLOSE')
      t.equal(peer.requests.length, idempotent ? 3 : 2)
    }
  },
)

t.test('on a new connection it is not: the same would only happen again', async (t) => {
  const { pool, peer } = await peerAndPool(
    t,
    after(1, (connection) => connection.finish()),
  )
  isPremature(t, await sent(t, pool, { idempotent: true }))
  t.equal(peer.requests.length, 1)
  const kept = await keeping(
    t,
    after(99, (connection) => connection.finish()),
    { retries: 5 },
  )
  isPremature(t, await sent(t, kept.pool, { idempotent: true }))
  t.equal(kept.peer.requests.length, 3, 'warm-up, kept connection, new connection')
  t.match(kept.pool.stats, { retries: 1, failed: 1 })
})

t.test('a body in memory is sent again as it was', async (t) => {
  const body = randomBytes(300_000)
  const seen: Buffer[] = []
  const script = eachRequest(async (request, connection) => {
    seen.push(await request.stdin())
    if (seen.length === 2) connection.finish()
    else connection.write(response(), endRecord())
  })
  const { pool, peer } = await keeping(t, script)
  const params = { REQUEST_METHOD: 'PUT', CONTENT_LENGTH: body.length }
  const outcome = await sent(t, pool, { params, body, idempotent: true })
  t.equal(outcome.error, undefined)
  t.equal(seen.length, 3)
  t.ok(seen.slice(1).every((stdin) => stdin.equals(body)))
  t.strictSame(peer.requests[2]?.params, peer.requests[1]?.params)
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
    const { pool, peer } = await keeping(t, script)
    isPremature(t, await sent(t, pool, { idempotent: true }))
    t.equal(peer.requests.length, 2, name)
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
  t.test('no more often than `retries` says', async (t) => {
    for (const retries of [0, 1, 3]) {
      const { pool, peer } = await peerAndPool(t, after(99, refuse), { retries })
      t.match((await sent(t, pool)).error, { code: 'FCGI_PROTOCOL', message: /CANT_MPX_CONN/ })
      t.equal(peer.requests.length, 1 + retries)
      t.match(pool.stats, { retries, failed: 1 })
    }
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
    t.match((await sent(t, pool, { body: Readable.from(['abc']) })).error, {
      code: 'FCGI_PROTOCOL',
    })
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

t.test('no connection: ConnectError, and the body was not touched', async (t) => {
  const peer = await startPeer(eachRequest(() => {}))
  const pool = poolOf(t, peer.address)
  await peer.close()
  const body = Readable.from(['never read'])
  const outcome = await sent(t, pool, { body })
  t.match(outcome.error, { code: 'FCGI_CONNECT' })
  t.equal(outcome.attempts.length, 0, 'nothing was sent')
  t.match(pool.stats, { retries: 0, failed: 1, connections: 0 })
  t.notOk(body.destroyed || body.readableFlowing, 'the body was not touched')
})

t.test('a connection lost in the queue of the kernel costs the request nothing', async (t) => {
  const { pool, peer } = await peerAndPool(
    t,
    after(0, () => {}),
  )
  await sent(t, pool)
  peer.connections[0]?.destroy()
  await until('the idle connection being noticed', () => pool.stats.idle === 0)
  const outcome = await sent(t, pool, { body: 'not idempotent' })
  t.equal(outcome.body.toString(), '14')
  t.equal(outcome.attempts.length, 1)
})

t.test(
  'the socket of an application that is started anew is found again',
  { skip: process.platform === 'win32' },
  async (t) => {
    const { pool, peer } = await peerAndPool(
      t,
      after(0, () => {}),
    )
    await sent(t, pool)
    const path = peer.address.slice('unix:'.length)
    rmSync(path)
    const again = await sent(t, pool, { idempotent: true })
    t.equal(again.status, 200, 'the kept connection still is good')
    await pool.destroy()
    await allClosed(peer)
  },
)
