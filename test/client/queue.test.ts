/** Requests that wait for a connection, and how a pool ends. */
import { ClosedError, OverloadedError } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { allClosed, type Outcome, peerAndPool, send, sent } from '../helpers/outcome.ts'
import {
  eachRequest,
  endRecord,
  type PeerConnection,
  response,
  wellBehaved,
} from '../helpers/scripted-peer.ts'
import { scaled } from '../helpers/time-limit.ts'
import { delay, turns, until } from '../helpers/wait.ts'

/** A script whose answers wait for `release`. */
function gate() {
  const waiting: PeerConnection[] = []
  return {
    script: eachRequest((_request, connection) => void waiting.push(connection)),
    waiting,
    /** Answers the request that waits longest. */
    release(): void {
      waiting.shift()?.write(response(), endRecord())
    },
  }
}

function isOverloaded(t: Test, { error }: Outcome, message: RegExp): void {
  t.ok(error instanceof OverloadedError, String(error))
  t.match(error, { code: 'FCGI_OVERLOADED', message })
}

t.test('no more connections than maxConnections, first come, first served', async (t) => {
  const { script, release, waiting } = gate()
  const options = { maxConnections: 2, maxAge: 0, fairness: 60_000, reuse: 'always' } as const
  const { pool, peer } = await peerAndPool(t, script, options)
  const order: number[] = []
  const all = Array.from({ length: 8 }, (_, n) =>
    send(t, pool, { params: { N: n } }, { onDone: () => order.push(n) }),
  )
  t.match(pool.stats, { connections: 2, active: 2, queued: 6, limit: 2, requests: 8 })
  for (let n = 0; n < 8; n++) {
    await until('a request to answer', () => waiting.length > 0)
    t.ok(waiting.length <= 2)
    release()
  }
  await Promise.all(all.map(({ done }) => done))
  t.strictSame(peer.requests.map(({ params }) => Number(params.N)).slice(2), [2, 3, 4, 5, 6, 7])
  t.strictSame(order.slice(0, 2).sort(), [0, 1])
  t.equal(peer.connections.length, 2)
  t.match(pool.stats, { connections: 2, idle: 2, active: 0, queued: 0, failed: 0 })
})

t.test('the time in the queue is told', async (t) => {
  const script = eachRequest(async (_request, connection) => {
    await delay(40)
    connection.write(response(), endRecord())
  })
  const { pool } = await peerAndPool(t, script, { maxConnections: 1 })
  const [first, second] = await Promise.all([sent(t, pool), sent(t, pool)])
  t.ok((first.attempts[0]?.queueTime ?? 99) < 30)
  t.ok((second.attempts[0]?.queueTime ?? 0) >= 35)
})

t.test('a full queue: OverloadedError at once', async (t) => {
  const { script, release, waiting } = gate()
  for (const maxQueue of [0, 2]) {
    const { pool } = await peerAndPool(t, script, { maxConnections: 1, maxQueue })
    const good = Array.from({ length: 1 + maxQueue }, () => send(t, pool))
    const begun = performance.now()
    const outcome = send(t, pool)
    t.notOk(outcome.ended, 'not during dispatch')
    isOverloaded(t, await outcome.done, /option maxQueue/)
    t.match(outcome.error?.message, pool.address.name)
    t.ok(performance.now() - begun < scaled(1000))
    for (const { done } of good) {
      await until('a request to answer', () => waiting.length > 0)
      release()
      t.equal((await done).error, undefined)
    }
    t.match(pool.stats, { requests: 2 + maxQueue, failed: 1, queued: 0 })
  }
})

t.test('queueTimeout: each waits for so long, and no longer', async (t) => {
  const { script } = gate()
  const { pool, peer } = await peerAndPool(t, script, { maxConnections: 1, queueTimeout: 80 })
  const running = send(t, pool)
  const times: number[] = []
  for (let n = 0; n < 4; n++) {
    const begun = performance.now()
    send(t, pool, {}, { onDone: () => times.push(performance.now() - begun) }).done.then(
      (outcome) => isOverloaded(t, outcome, /80 ms \(option queueTimeout\).*maxConnections/),
    )
    await delay(25)
  }
  await until('all of them', () => times.length === 4)
  t.ok(
    times.every((time) => time >= 75),
    `${times}`,
  )
  t.equal(peer.requests.length, 1, 'the application heard of none')
  running.control.abort()
  await running.done
})

t.test('one that expires may be dispatched again from its own end', async (t) => {
  const { script } = gate()
  const { pool } = await peerAndPool(t, script, { maxConnections: 1, queueTimeout: 50 })
  const running = send(t, pool)
  const again: Outcome[] = []
  const first = send(t, pool, {}, { onDone: () => again.push(send(t, pool)) })
  await delay(10)
  const second = send(t, pool)
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  isOverloaded(t, await first.done, /queueTimeout/)
  await turns(2)
  t.ok(timers() <= before, 'no timer too many')
  isOverloaded(t, await second.done, /queueTimeout/)
  for (const { done } of again) isOverloaded(t, await done, /queueTimeout/)
  running.control.abort()
  await running.done
})

t.test('a connection that fails makes room for who waits', async (t) => {
  const script = wellBehaved()
  const { pool, peer } = await peerAndPool(
    t,
    (connection) => {
      if (connection.index === 0) connection.destroy()
      else return script(connection)
    },
    { maxConnections: 1 },
  )
  const [first, second] = await Promise.all([sent(t, pool), sent(t, pool)])
  t.match(first.error, { code: 'FCGI_PREMATURE_CLOSE' })
  t.equal(second.error, undefined)
  t.equal(peer.connections.length, 2)
})

t.test('close: what runs and what waits is finished, what is new refused', async (t) => {
  const { script, release, waiting } = gate()
  const { pool, peer } = await peerAndPool(t, script, { maxConnections: 1 })
  const old = [send(t, pool), send(t, pool), send(t, pool)]
  await until('a request to answer', () => waiting.length > 0)
  let closed = false
  const closing = pool.close().then(() => {
    closed = true
  })
  const late = send(t, pool)
  t.notOk(late.ended, 'not during dispatch')
  const { error } = await late.done
  t.ok(error instanceof ClosedError)
  t.match(error, { code: 'FCGI_CLOSED' })
  for (const { done } of old) {
    t.notOk(closed)
    await until('a request to answer', () => waiting.length > 0)
    release()
    t.equal((await done).error, undefined)
  }
  await closing
  await pool.close()
  await allClosed(peer)
  t.strictSame(
    peer.requests.map(({ keepConnection }) => keepConnection),
    [true, false, false],
    'the application need not wait for more',
  )
  t.match(pool.stats, { connections: 0, requests: 4, failed: 1 })
})

t.test('close with idle connections, or with none', async (t) => {
  const { pool, peer } = await peerAndPool(t, wellBehaved())
  await sent(t, pool)
  await pool.close()
  await allClosed(peer)
  const { pool: unused } = await peerAndPool(t, wellBehaved())
  await unused.close()
  await unused.destroy()
})

t.test('destroy: everything fails, with the reason given', async (t) => {
  const { script } = gate()
  const { pool, peer } = await peerAndPool(t, script, { maxConnections: 2 })
  const all = Array.from({ length: 5 }, () => send(t, pool, { idempotent: true }))
  await until('two requests', () => peer.requests.length === 2)
  const reason = new Error('shutting down')
  await pool.destroy(reason)
  for (const { done } of all) {
    const { error } = await done
    t.ok(error instanceof ClosedError, String(error))
    t.equal(error?.cause, reason)
  }
  await allClosed(peer)
  t.equal(peer.requests.length, 2, 'nothing is tried again')
  t.match(pool.stats, { connections: 0, queued: 0, active: 0, requests: 5, failed: 5 })
})

t.test('destroy while connecting, and from inside a handler', async (t) => {
  const { pool, peer } = await peerAndPool(t, wellBehaved())
  const outcome = send(t, pool)
  await pool.destroy()
  t.match((await outcome.done).error, { code: 'FCGI_CLOSED' })

  const other = (await peerAndPool(t, wellBehaved())).pool
  const inside = await sent(t, other, {}, { onHead: () => void other.destroy() })
  t.match(inside.error, { code: 'FCGI_CLOSED' })
  await allClosed(peer)
})

t.test('what cannot be encoded fails alone, after dispatch', async (t) => {
  const { pool, peer } = await peerAndPool(t, wellBehaved())
  const bad = {
    FCGI_PARAMS_TOO_LARGE: { BIG: 'x'.repeat(70_000) },
    FCGI_PROTOCOL: { 'A\0B': 'c' },
  }
  for (const [code, params] of Object.entries(bad)) {
    const outcome = send(t, pool, { params })
    t.notOk(outcome.ended, 'not during dispatch')
    t.match((await outcome.done).error, { code })
    outcome.control.abort()
    outcome.control.resume()
  }
  t.match(pool.stats, { requests: 2, failed: 2, connections: 0 })
  t.equal(peer.connections.length, 0)
})

t.test('stats add up, whatever happens', async (t) => {
  let seen = 0
  const script = eachRequest(async (request, connection) => {
    await request.stdin()
    const fate = seen++ % 5
    if (fate === 1) connection.finish()
    else if (fate === 2) connection.write(response())
    else if (fate === 3) connection.end(0, 2)
    else connection.write(response(), endRecord())
    if (fate === 2) connection.finish()
  })
  const { pool, peer } = await peerAndPool(t, script, { maxConnections: 3, maxQueue: 30 })
  const outcomes = Array.from({ length: 40 }, (_, n) =>
    send(t, pool, { idempotent: n % 2 === 0, body: n % 3 === 0 ? 'body' : null }),
  )
  for (const n of [5, 25, 35]) outcomes[n]?.control.abort()
  const { connections, active, queued, requests } = pool.stats
  t.ok(connections === active && connections <= 3)
  t.equal(requests, 40)
  t.ok(queued <= 30)
  for (const { done } of outcomes) await done
  const failed = outcomes.filter(({ error }) => error !== undefined).length
  const attempts = outcomes.reduce((sum, outcome) => sum + outcome.attempts.length, 0)
  const sentOnce = outcomes.filter((outcome) => outcome.attempts.length > 0).length
  t.match(pool.stats, { requests: 40, failed, active: 0, queued: 0, retries: attempts - sentOnce })
  t.equal(peer.requests.length, attempts)
  t.ok(failed > 5 && failed < 40, `${failed} failed`)
})
