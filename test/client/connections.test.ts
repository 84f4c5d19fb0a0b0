/** When a connection is used again, when it is closed, and that nothing gets from one request into the next. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { RecordType } from '@fastcgi/protocol'
import t from 'tap'
import { allClosed, peerAndPool, poolOf, send, sent } from '../helpers/outcome.ts'
import {
  eachRequest,
  endRecord,
  record,
  response,
  startPeer,
  wellBehaved,
} from '../helpers/scripted-peer.ts'
import { delay, turns, until, within } from '../helpers/wait.ts'

/** Idle connections stay until something else closes them. */
const LASTING = { maxAge: 0, idleTimeout: 0, fairness: 60_000, reuse: 'always' } as const

const answerOnly = eachRequest((_request, connection) => {
  connection.write(response(), endRecord())
})

t.test('requests in a row use one connection, and id 1 always', async (t) => {
  for (const listen of ['unix', 'tcp'] as const) {
    const { pool, peer } = await peerAndPool(t, wellBehaved(), { listen, ...LASTING })
    for (let n = 0; n < 10; n++) {
      const [attempt] = (await sent(t, pool)).attempts
      t.match(attempt, { address: pool.address.name, reused: n > 0 })
      if (n > 0) t.equal(attempt?.connectTime, 0)
    }
    t.equal(peer.connections.length, 1)
    t.strictSame([...(peer.connections[0]?.ids ?? [])], [1])
    t.ok(peer.requests.every(({ keepConnection }) => keepConnection))
  }
})

t.test('roles and params as they were given', async (t) => {
  const { pool, peer } = await peerAndPool(t, wellBehaved())
  await sent(t, pool, { params: { A: 'ä', N: 5, EMPTY: '', NO: null, NOR: undefined } })
  await sent(t, pool, { role: 'authorizer', params: new Map([['B', 'b']]) })
  t.strictSame(
    peer.requests.map(({ id, role, params }) => ({ id, role, params })),
    [
      { id: 1, role: 1, params: { A: 'ä', N: '5', EMPTY: '' } },
      { id: 1, role: 2, params: { B: 'b' } },
    ],
  )
})

t.test('data on an idle connection: closed, and the next request never sees it', async (t) => {
  const evil = record(RecordType.STDOUT, 'Status: 666 evil\n\nevil')
  const data = {
    'a response': Buffer.concat([evil, endRecord()]),
    'one byte': Buffer.from([1]),
    'a part of a record': evil.subarray(0, 12),
    'a part of a header': evil.subarray(0, 7),
    'the empty STDOUT': record(RecordType.STDOUT),
    'a management record': record(RecordType.UNKNOWN_TYPE, Buffer.alloc(8), { id: 0 }),
  }
  for (const [name, bytes] of Object.entries(data))
    t.test(name, async (t) => {
      const { pool, peer } = await peerAndPool(t, answerOnly, LASTING)
      await sent(t, pool)
      t.equal(pool.stats.idle, 1)
      peer.connections[0]?.write(bytes)
      await until('the connection being dropped', () => pool.stats.idle === 0)
      await allClosed(peer)
      const outcome = await sent(t, pool)
      t.strictSame([outcome.status, outcome.body.toString()], [200, 'ok'])
      t.equal(peer.connections.length, 2)
    })
})

t.test('a reset right after END_REQUEST is no error', async (t) => {
  for (const listen of ['unix', 'tcp'] as const) {
    const script = eachRequest(async (_request, connection) => {
      await connection.writeSlowly([Buffer.concat([response(), endRecord()])])
      await turns(2)
      connection.reset()
    })
    const { pool } = await peerAndPool(t, script, { listen, ...LASTING })
    for (let n = 0; n < 5; n++) {
      const outcome = await sent(t, pool)
      t.strictSame([outcome.error, outcome.body.toString()], [undefined, 'ok'])
      await until('the idle connection being dropped', () => pool.stats.idle === 0)
    }
    t.match(pool.stats, { requests: 5, failed: 0, retries: 0, connections: 0 })
  }
})

t.test(
  'the application closes after END_REQUEST: response good, next on a fresh one',
  async (t) => {
    const script = eachRequest((_request, connection) => {
      connection.write(response(), endRecord())
      connection.finish()
    })
    const { pool } = await peerAndPool(t, script, LASTING)
    for (let n = 0; n < 5; n++) {
      t.equal((await sent(t, pool)).error, undefined)
      await until('the idle connection being dropped', () => pool.stats.connections === 0)
    }
  },
)

t.test('maxRequests: the last one says so with KEEP_CONN = 0', async (t) => {
  const { pool, peer } = await peerAndPool(t, answerOnly, { maxRequests: 3, ...LASTING })
  for (let n = 0; n < 7; n++) await sent(t, pool)
  t.strictSame(
    peer.requests.map(({ keepConnection }) => keepConnection),
    [true, true, false, true, true, false, true],
  )
  t.equal(peer.connections.length, 3)
  t.equal(pool.stats.connections, 1)
  await until('two being closed', () => peer.open === 1)
})

t.test('reuse: false: KEEP_CONN = 0, and closed by the client at END_REQUEST', async (t) => {
  const { pool, peer } = await peerAndPool(t, answerOnly, { reuse: false })
  for (let n = 0; n < 3; n++) await sent(t, pool)
  t.ok(peer.requests.every(({ flags }) => flags === 0))
  t.equal(peer.connections.length, 3)
  await allClosed(peer)
})

t.test('STDIN not sent to its end when END_REQUEST comes: not used again', async (t) => {
  const { pool, peer } = await peerAndPool(t, answerOnly, LASTING)
  const outcome = await sent(t, pool, { body: new PassThrough() })
  t.equal(outcome.error, undefined)
  t.equal(pool.stats.connections, 0)
  await allClosed(peer)
})

t.test('a body in memory not yet taken by the kernel at END_REQUEST: not used again', async (t) => {
  const script = eachRequest((_request, connection) => {
    connection.stall()
    connection.write(response(), endRecord())
  })
  const { pool, peer } = await peerAndPool(t, script, LASTING)
  const outcome = await sent(t, pool, { body: Buffer.alloc(5_000_000) })
  t.equal(outcome.error, undefined)
  t.equal(pool.stats.connections, 0)
  t.equal((await sent(t, pool)).attempts[0]?.reused, false)
  for (const connection of peer.connections) connection.unstall()
  await until('the first one being closed', () => peer.connections[0]?.isClosed === true)
})

t.test('maxAge: an older connection is not used again, however busy', async (t) => {
  const { pool, peer } = await peerAndPool(t, answerOnly, {
    maxAge: 60,
    idleTimeout: 0,
    reuse: 'always',
  })
  const begun = performance.now()
  while (performance.now() - begun < 300) {
    await sent(t, pool)
    await delay(5)
  }
  const count = peer.connections.length
  t.ok(count >= 2 && count <= 6, `${count} connections in 300 ms`)
  await until('the last one being closed', () => pool.stats.connections === 0)
  await allClosed(peer)
})

t.test('idleTimeout: closed when it was not used for so long', async (t) => {
  const { pool, peer } = await peerAndPool(t, answerOnly, {
    maxAge: 0,
    idleTimeout: 50,
    reuse: 'always',
  })
  await sent(t, pool)
  const begun = performance.now()
  t.equal(pool.stats.idle, 1)
  await until('it being closed', () => pool.stats.connections === 0)
  t.ok(performance.now() - begun >= 45)
  await allClosed(peer)
})

t.test('softMaxConnections: so many stay', async (t) => {
  const options = { ...LASTING, idleTimeout: 300, softMaxConnections: 2 }
  const { pool } = await peerAndPool(t, answerOnly, options)
  await Promise.all(Array.from({ length: 5 }, () => sent(t, pool)))
  t.equal(pool.stats.idle, 5)
  await until('three being closed', () => pool.stats.idle === 2)
  await delay(400)
  t.equal(pool.stats.idle, 2)
})

t.test('the one used last is used next', async (t) => {
  const { pool } = await peerAndPool(t, answerOnly, LASTING)
  await Promise.all([sent(t, pool), sent(t, pool), sent(t, pool)])
  for (let n = 0; n < 5; n++) await sent(t, pool)
  t.equal(pool.stats.idle, 3)
})

t.test('a failure on one connection is of no matter to the others', async (t) => {
  const script = eachRequest(async (request, connection) => {
    if (request.params.N === 'bad') connection.write(Buffer.alloc(8))
    else {
      await delay(20)
      connection.write(response(), endRecord())
    }
  })
  const { pool } = await peerAndPool(t, script, LASTING)
  const good = [send(t, pool), send(t, pool)]
  t.match((await sent(t, pool, { params: { N: 'bad' } })).error, { code: 'FCGI_PROTOCOL' })
  for (const { done } of good) t.equal((await done).error, undefined)
  t.equal(pool.stats.connections, 2)
})

t.test('a process ends by itself', async (t) => {
  const peer = await startPeer(answerOnly)
  t.teardown(() => peer.close())
  const run = async (code: string) => {
    const program = `
      const { FastCGIClient } = await import(${JSON.stringify(import.meta.resolve('@fastcgi/client'))})
      const client = new FastCGIClient(${JSON.stringify(peer.address)})
      const response = await client.request({ params: {} })
      if (await response.text() !== 'ok') throw new Error()
      ${code}`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const [status] = await within('the process to end', once(child, 'exit'))
    t.equal(status, 0, code)
  }
  await Promise.all([run('await client.close()'), run('await client.destroy()'), run('')])
})

t.test('a destroyed pool leaves no timers behind', async (t) => {
  const { pool, peer } = await peerAndPool(
    t,
    eachRequest(() => {}),
    { maxConnections: 1 },
  )
  await poolOf(t, peer.address).destroy()
  const outcomes = [send(t, pool), send(t, pool), send(t, pool)]
  await until('the first request', () => peer.requests.length === 1)
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  await pool.destroy()
  for (const { done } of outcomes) t.match((await done).error, { code: 'FCGI_CLOSED' })
  await turns(3)
  t.ok(timers() < before, 'timeouts of the request and the queue are gone')
})
