/** STDIN: sent whole or not as a whole, read and written at the same time, and no answer is lost over it. */
import { createHash, randomBytes } from 'node:crypto'
import { PassThrough, Readable } from 'node:stream'
import { RequestBodyError } from '@fastcgi/client'
import { RecordType } from '@fastcgi/protocol'
import t, { type Test } from 'tap'
import { allClosed, peerAndPool, send, sent } from '../helpers/outcome.ts'
import {
  eachRequest,
  endRecord,
  record,
  response,
  type Script,
  stdoutRecords,
  wellBehaved,
} from '../helpers/scripted-peer.ts'
import { scaled } from '../helpers/time-limit.ts'
import { until } from '../helpers/wait.ts'

const sha1 = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('hex')

const digest = wellBehaved(() => '')

const digestOfStdin: Script = eachRequest(async (request, connection) => {
  const stdin = await request.stdin()
  connection.write(response(`${stdin.length} ${sha1(stdin)}`), endRecord())
})

t.test('bodies of every kind and size arrive as they are', async (t) => {
  const { pool, peer } = await peerAndPool(t, digestOfStdin, { maxAge: 0, reuse: 'always' })
  for (const size of [0, 1, 65_534, 65_535, 65_536, 131_070, 131_071, 1_000_000]) {
    const bytes = randomBytes(size)
    const kinds = {
      Buffer: bytes,
      stream: Readable.from(size === 0 ? [] : [bytes]),
      'stream of bytes':
        size > 70_000 ? null : Readable.from([bytes.subarray(0, 1), bytes.subarray(1)]),
    }
    for (const [kind, body] of Object.entries(kinds)) {
      if (body === null) continue
      const bodyLength = body instanceof Readable ? size : undefined
      const outcome = await sent(t, pool, { body, bodyLength })
      t.equal(outcome.body.toString(), `${size} ${sha1(bytes)}`, `${size} bytes, ${kind}`)
    }
  }
  const text = await sent(t, pool, { body: 'grün' })
  t.equal(text.body.toString(), `5 ${sha1(Buffer.from('grün'))}`, 'a string is sent as UTF-8')
  t.equal(peer.connections.length, 1, 'all on one connection')
  t.strictSame([...(peer.connections[0]?.ids ?? [])], [1], 'and as request 1')
})

t.test('full duplex: 20 MB echoed while they are sent', async (t) => {
  const echo = eachRequest(async (request, connection) => {
    connection.write(stdoutRecords('X: 1\n\n'))
    connection.socket.on('drain', () => connection.unstall())
    request.onStdin((chunk) => {
      if (!connection.write(stdoutRecords(chunk))) connection.stall()
    })
    await until('the end of STDIN', () => request.stdinEnded)
    connection.end()
  })
  const bytes = randomBytes(20_000_000)
  const bodies = { 'a Buffer': bytes, 'a stream': Readable.from(chunks(bytes)) }
  for (const [name, body] of Object.entries(bodies))
    for (const listen of ['unix', 'tcp'] as const) {
      if (body instanceof Readable && listen === 'tcp') continue
      t.test(`${name}, ${listen}`, async (t) => {
        const { pool } = await peerAndPool(t, echo, { listen })
        const outcome = await sent(t, pool, { body })
        t.equal(outcome.error, undefined)
        t.ok(outcome.body.equals(bytes))
      })
    }
})

function* chunks(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000)
}

t.test('an answer given before STDIN was read, then close: delivered, 20 of 20', async (t) => {
  const bytes = randomBytes(3_000_000)
  const bodies = {
    'a Buffer': () => bytes,
    'a stream': () => Readable.from(chunks(bytes)),
  }
  for (const listen of ['unix', 'tcp'] as const)
    for (const [name, body] of Object.entries(bodies))
      t.test(`${listen}, ${name}`, async (t) => {
        const early: Script = async (connection) => {
          connection.socket.once('data', () => connection.stall())
          await connection.request()
          connection.write(response('too large'.repeat(5000)), endRecord())
          connection.finish()
          // Closing with unread bytes makes TCP send a reset.
          setImmediate(() => connection.destroy())
        }
        const { pool, peer } = await peerAndPool(t, early, { listen })
        for (let n = 0; n < 20; n++) {
          const outcome = await sent(t, pool, { body: body() })
          const is = outcome.error ?? outcome.body.length
          if (is !== 45_000) t.fail(`try ${n}: ${is}`)
          t.equal(pool.stats.idle, 0, 'not kept')
        }
        t.equal(peer.requests.length, 20)
        await allClosed(peer)
      })
})

t.test('a write that fails before the answer was read', async (t) => {
  const make = async (t: Test, answer: Buffer) => {
    const body = new PassThrough()
    const { pool } = await peerAndPool(t, async (connection) => {
      const request = await connection.request()
      await until('some STDIN', () => request.stdinLength === 4)
      // All in one turn of the event loop: the client writes to a closed socket, its answer unread.
      connection.write(answer)
      connection.destroy()
      body.write('more')
    })
    body.write('some')
    const begun = performance.now()
    const outcome = await sent(t, pool, { body })
    t.ok(performance.now() - begun < scaled(700), 'at once')
    t.equal(pool.stats.connections, 0)
    return outcome
  }
  t.test('does not lose it', async (t) => {
    const outcome = await make(t, Buffer.concat([response('answer'), endRecord()]))
    t.strictSame([outcome.error, outcome.body.toString()], [undefined, 'answer'])
  })
  t.test('makes no answer out of a part of it', async (t) => {
    const outcome = await make(t, response('part'))
    t.equal(outcome.body.toString(), 'part')
    t.match(outcome.error, { code: 'FCGI_PREMATURE_CLOSE' })
  })
  t.test('waits for none that will not come', async (t) => {
    t.match((await make(t, Buffer.alloc(0))).error, { code: 'FCGI_PREMATURE_CLOSE' })
  })
})

t.test(
  'an answer given while STDIN goes on: delivered, the body stream let go, not kept',
  async (t) => {
    const early = eachRequest((_request, connection) => {
      connection.write(response('enough'), endRecord())
    })
    const { pool, peer } = await peerAndPool(t, early)
    const body = new PassThrough()
    const outcome = send(t, pool, { body })
    body.write('some')
    t.equal((await outcome.done).body.toString(), 'enough')
    t.equal(pool.stats.connections, 0)
    await allClosed(peer)
    t.notOk(peer.requests[0]?.stdinEnded)
    t.notOk(body.destroyed, 'whose it is may do with it as he likes')
    t.equal(body.listenerCount('data') + body.listenerCount('end'), 0)
    body.destroy(new Error('late and of no consequence'))
    t.equal((await sent(t, pool)).error, undefined)
  },
)

t.test(
  'a body that is not what it should be: RequestBodyError, and never the empty STDIN',
  async (t) => {
    const make = {
      errors: [() => broken(new Error('disk on fire')), undefined, /ended after 4 bytes/],
      'closes early': [() => broken(undefined), undefined, /ended after 4 bytes/],
      'errors at once': [() => failing(), undefined, /ended after 0 bytes/],
      'ends short of bodyLength': [
        () => Readable.from([Buffer.from('1234')]),
        5,
        /after 4 of 5 bytes/,
      ],
      'runs over bodyLength': [() => Readable.from([Buffer.from('123456')]), 5, /over the 5 bytes/],
      'is empty against bodyLength': [() => Readable.from([]), 1, /after 0 of 1 bytes/],
    } as const
    for (const [name, [body, bodyLength, message]] of Object.entries(make))
      t.test(name, async (t) => {
        const { pool, peer } = await peerAndPool(t, digest)
        const outcome = await sent(t, pool, { body: body(), bodyLength, idempotent: true })
        t.ok(outcome.error instanceof RequestBodyError, String(outcome.error))
        t.match(outcome.error, { code: 'FCGI_BODY_TRUNCATED', message })
        if (name === 'errors') t.match(outcome.error?.cause, { message: 'disk on fire' })
        await allClosed(peer)
        t.equal(pool.stats.connections, 0)
        t.ok(
          peer.requests.every((request) => !request.stdinEnded),
          'the application cannot take it for whole',
        )
        t.ok(peer.requests.length <= 1, 'not tried again')
      })
  },
)

/** Gives 4 bytes and breaks when asked for more. */
function broken(error: Error | undefined): Readable {
  let asked = 0
  return new Readable({
    read() {
      if (asked++ === 0) this.push('1234')
      else setImmediate(() => this.destroy(error))
    },
  })
}

function failing(): Readable {
  return new Readable({
    read() {
      this.destroy(new Error('cannot be opened'))
    },
  })
}

t.test('a stream that has been read or destroyed is refused', async (t) => {
  const { pool, peer } = await peerAndPool(t, digest)
  const read = Readable.from(['a'])
  await read.forEach(() => {})
  const destroyed = new PassThrough()
  destroyed.destroy()
  for (const body of [read, destroyed]) {
    const { error } = await sent(t, pool, { body })
    t.match(error, { code: 'FCGI_BODY_CONSUMED', message: /read or destroyed before/ })
  }
  await allClosed(peer)
  t.ok(peer.requests.every((request) => !request.stdinEnded))
})

t.test('a stream that breaks while its request waits in the queue', async (t) => {
  const { pool, peer } = await peerAndPool(
    t,
    eachRequest(() => {}),
    { maxConnections: 1 },
  )
  const first = send(t, pool)
  const body = new PassThrough()
  const second = send(t, pool, { body })
  body.on('error', () => {})
  body.destroy(new Error('gone'))
  await until('the first request', () => peer.requests.length === 1)
  first.control.abort()
  t.match((await second.done).error, { code: 'FCGI_BODY_CONSUMED' })
  await first.done
})

t.test('a fast source is held back by an application that does not read', async (t) => {
  const stalled: Script = async (connection) => {
    connection.socket.once('data', () => connection.stall())
    await connection.request()
  }
  const { pool } = await peerAndPool(t, stalled)
  let made = 0
  const body = new Readable({
    read() {
      made += 65_536
      this.push(Buffer.alloc(65_536))
    },
  })
  const outcome = send(t, pool, { body })
  let before = -1
  await until('the source standing still', () => {
    const still = made === before && made > 0
    before = made
    return still
  })
  t.ok(made < 4_000_000, `${made} bytes taken of an endless body`)
  outcome.control.abort()
  await outcome.done
})

t.test('STDIN as records: full ones, one end', async (t) => {
  const types: Array<[type: number, length: number]> = []
  const script: Script = async (connection) => {
    const all: Buffer[] = []
    connection.socket.on('data', (chunk) => all.push(Buffer.from(chunk)))
    const request = await connection.request()
    await request.stdin()
    const bytes = Buffer.concat(all)
    for (let at = 0; at < bytes.length; ) {
      const length = bytes.readUInt16BE(at + 4)
      types.push([bytes.readUInt8(at + 1), length])
      at += 8 + length + bytes.readUInt8(at + 6)
    }
    connection.write(response(), record(RecordType.STDOUT), endRecord())
  }
  const { pool } = await peerAndPool(t, script)
  await sent(t, pool, { params: { A: 'b' }, body: Buffer.alloc(131_070) })
  t.strictSame(types, [
    [RecordType.BEGIN_REQUEST, 8],
    [RecordType.PARAMS, 4],
    [RecordType.PARAMS, 0],
    [RecordType.STDIN, 65_535],
    [RecordType.STDIN, 65_535],
    [RecordType.STDIN, 0],
  ])
})
