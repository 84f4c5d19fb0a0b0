/** A peer that does not move: each of the timeouts, and when none of them may run. */
import { randomBytes } from 'node:crypto'
import { PassThrough, Readable } from 'node:stream'
import { TimeoutError } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { KEPT } from '../helpers/kept.ts'
import { type Outcome, peerAndPool, send, sent } from '../helpers/outcome.ts'
import {
  eachRequest,
  endRecord,
  response,
  type Script,
  stdoutRecords,
} from '../helpers/scripted-peer.ts'
import { scaled } from '../helpers/time-limit.ts'
import { delay, until } from '../helpers/wait.ts'

const HEAD = stdoutRecords('X: 1\n\n')

const silent: Script = async (connection) => {
  await connection.request()
}

function isTimeout(t: Test, outcome: Outcome, phase: string, limit: number): void {
  t.ok(outcome.error instanceof TimeoutError, String(outcome.error))
  t.match(outcome.error, { code: 'FCGI_TIMEOUT', phase })
  t.match(outcome.error?.message, `for ${limit} ms (option timeouts.${phase})`)
}

t.test('no head: head timeout, and the connection is closed', async (t) => {
  const { pool, peer } = await peerAndPool(t, silent, { timeouts: { head: 60 } })
  const begun = performance.now()
  const outcome = await sent(t, pool, { idempotent: true })
  const took = performance.now() - begun
  isTimeout(t, outcome, 'head', 60)
  t.ok(took >= 55, `after ${took} ms`)
  t.match(outcome.error?.message, pool.address.name)
  t.equal(peer.requests.length, 1, 'not tried again: it is being worked on')
  await peer.connections[0]?.closed
})

t.test('half a head is no head', async (t) => {
  const script = eachRequest((_request, connection) => void connection.stdout('X: 1\n'))
  const { pool } = await peerAndPool(t, script, { timeouts: { head: 60, idle: 10_000 } })
  isTimeout(t, await sent(t, pool), 'head', 60)
})

t.test('a sign of life, stderr for instance, gives the head its time again', async (t) => {
  const head = scaled(120)
  const script = eachRequest(async (_request, connection) => {
    for (let n = 0; n < 6; n++) {
      connection.stderr('working\n')
      await delay(head / 4)
    }
    connection.write(response(), endRecord())
  })
  const { pool } = await peerAndPool(t, script, { timeouts: { head } })
  t.equal((await sent(t, pool)).status, 200)
})

t.test('silence in the body: idle timeout', async (t) => {
  const script = eachRequest((_request, connection) => void connection.write(response('part')))
  const { pool, peer } = await peerAndPool(t, script, { timeouts: { idle: 60 } })
  const outcome = await sent(t, pool)
  isTimeout(t, outcome, 'idle', 60)
  t.equal(outcome.body.toString(), 'part')
  await peer.connections[0]?.closed
})

t.test('no total limit: a body that keeps coming', async (t) => {
  const limit = scaled(100)
  const script = eachRequest(async (_request, connection) => {
    connection.write(HEAD)
    for (let n = 0; n < 8; n++) {
      connection.stdout('more ')
      await delay(limit / 4)
    }
    connection.end()
  })
  const { pool } = await peerAndPool(t, script, { timeouts: { head: limit, idle: limit } })
  const outcome = await sent(t, pool)
  t.equal(outcome.error, undefined)
  t.equal(outcome.body.length, 40)
})

t.test('the idle timeout does not run while the reader has paused', async (t) => {
  const body = randomBytes(300_000)
  const script = eachRequest((_request, connection) => void connection.write(response(body)))
  const { pool } = await peerAndPool(t, script, { timeouts: { idle: 60 } })
  let pause = true
  const outcome = send(t, pool, {}, { onData: () => !pause })
  await until('a piece of the body', () => outcome.chunks.length > 0)
  await delay(150)
  t.notOk(outcome.ended, 'still waiting for the reader')
  const got = outcome.body.length
  t.ok(got < body.length, `${got} bytes and no more`)
  pause = false
  outcome.control.resume()
  isTimeout(t, await outcome.done, 'idle', 60)
  t.ok(outcome.body.equals(body), 'then all of it, and then silence')
})

t.test('a reader that pauses again and again gets it all', async (t) => {
  const body = randomBytes(1_000_000)
  const script = eachRequest((_request, connection) => {
    connection.write(response(body), endRecord())
  })
  const { pool } = await peerAndPool(t, script, KEPT)
  const outcome = await sent(
    t,
    pool,
    {},
    {
      onData(_chunk, { control }) {
        setImmediate(() => control.resume())
        return false
      },
    },
  )
  t.ok(outcome.body.equals(body))
  t.equal(pool.stats.idle, 1)
  t.equal((await sent(t, pool)).body.length, body.length, 'the connection reads on')
})

t.test('a slow source of the body has a timeout of its own, and no other runs', async (t) => {
  const script = eachRequest(async (request, connection) => {
    connection.write(response(await request.stdin()), endRecord())
  })
  const timeouts = { head: 60, idle: 60, write: 60, body: 300 }
  const { pool, peer } = await peerAndPool(t, script, { timeouts })
  const slow = new PassThrough()
  const outcome = send(t, pool, { body: slow })
  slow.write('slow ')
  await delay(150)
  slow.end('body')
  t.equal((await outcome.done).body.toString(), 'slow body')

  const endless = new PassThrough()
  const { error } = await sent(t, pool, { body: endless, timeouts: { body: 60 } })
  t.match(error, { code: 'FCGI_BODY_TIMEOUT', message: /60 ms \(option timeouts\.body\)/ })
  t.notOk(peer.requests[1]?.stdinEnded)
})

t.test('but after it the head is waited for as ever', async (t) => {
  const { pool } = await peerAndPool(t, silent, { timeouts: { head: 60 } })
  isTimeout(t, await sent(t, pool, { body: Readable.from([Buffer.from('a')]) }), 'head', 60)
})

const bodies = {
  'a Buffer': (bytes: Buffer) => bytes,
  'a stream': (bytes: Buffer) => Readable.from(pieces(bytes)),
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

for (const [name, make] of Object.entries(bodies)) {
  t.test(`a peer that stops reading: write timeout, body is ${name}`, async (t) => {
    const script: Script = async (connection) => {
      await connection.request()
      connection.stall()
    }
    const { pool } = await peerAndPool(t, script, { timeouts: { write: 60, head: 10_000 } })
    isTimeout(t, await sent(t, pool, { body: make(randomBytes(8_000_000)) }), 'write', 60)
    t.equal(pool.stats.connections, 0)
  })

  t.test(`a peer that reads slowly but reads: no timeout, body is ${name}`, async (t) => {
    const body = randomBytes(3_000_000)
    const script = eachRequest(async (request, connection) => {
      const stdin: Buffer[] = []
      request.onStdin((chunk) => {
        stdin.push(chunk)
        connection.stall()
      })
      while (!request.stdinEnded) {
        await delay(20)
        connection.unstall()
      }
      connection.write(response(String(Buffer.concat(stdin).equals(body))), endRecord())
    })
    const { pool } = await peerAndPool(t, script, { timeouts: { write: 400, head: 400 } })
    const outcome = await sent(t, pool, { body: make(body) })
    t.strictSame([outcome.error, outcome.body.toString()], [undefined, 'true'])
  })
}

t.test('a request has timeouts of its own; 0 is no limit', async (t) => {
  const script = eachRequest(async (request, connection) => {
    if (request.params.SILENT) return
    await delay(120)
    connection.write(response(), endRecord())
  })
  const { pool } = await peerAndPool(t, script, { timeouts: { head: 60 } })
  t.equal((await sent(t, pool, { timeouts: { head: 0 } })).status, 200)
  const silentRequest = { params: { SILENT: 1 }, timeouts: { head: 30 } }
  isTimeout(t, await sent(t, pool, silentRequest), 'head', 30)
  isTimeout(t, await sent(t, pool), 'head', 60)
})
