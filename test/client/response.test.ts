/** Responses cut, mixed and ended in every way: what is whole is delivered whole, what is not never looks it. */
import { randomBytes } from 'node:crypto'
import { type Pool, PrematureCloseError, ProtocolError } from '@fastcgi/client'
import { RecordType } from '@fastcgi/protocol'
import t, { type Test } from 'tap'
import { type Outcome, peerAndPool, sent } from '../helpers/outcome.ts'
import {
  type Content,
  eachRequest,
  endRecord,
  type Peer,
  record,
  response,
  type Script,
  stdoutRecords,
} from '../helpers/scripted-peer.ts'
import { turns } from '../helpers/wait.ts'

const { STDOUT, STDERR, END_REQUEST, UNKNOWN_TYPE, GET_VALUES_RESULT } = RecordType

const HEAD = 'Status: 201 Made\r\nX-One: 1\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n'

/** Answers every request with the next of the given answers, each in pieces that are written one by one. */
function answers(list: Iterable<Iterable<Content>>): Script {
  const iterator = list[Symbol.iterator]()
  return eachRequest(async (request, connection) => {
    await request.stdin()
    const next = iterator.next()
    if (!next.done) await connection.writeSlowly(next.value)
  })
}

/** One answer in one write. */
async function answer(
  t: Test,
  ...parts: Content[]
): Promise<{ outcome: Outcome; pool: Pool; peer: Peer }> {
  const bytes = Buffer.concat(parts.map((part) => Buffer.from(part)))
  const { peer, pool } = await peerAndPool(t, answers([[bytes]]))
  return { outcome: await sent(t, pool), pool, peer }
}

function isHead(t: Test, outcome: Outcome, where: string): void {
  const { status, reason, headers, body, appStatus, error } = outcome
  t.strictSame(
    { status, reason, headers, body: body.toString(), appStatus, error },
    {
      status: 201,
      reason: 'Made',
      headers: ['X-One', '1', 'Set-Cookie', 'a=b', 'Set-Cookie', 'c=d'],
      body: 'body',
      appStatus: 0,
      error: undefined,
    },
    where,
  )
}

t.test('a head cut at every byte, over records and over writes', async (t) => {
  const whole = Buffer.concat([stdoutRecords(`${HEAD}body`), endRecord()])
  const list: Buffer[][] = []
  for (let at = 1; at < HEAD.length + 4; at++)
    list.push([
      Buffer.concat([
        stdoutRecords(`${HEAD}body`.slice(0, at)),
        stdoutRecords(`${HEAD}body`.slice(at)),
        endRecord(),
      ]),
    ])
  for (let at = 1; at < whole.length; at++) list.push([whole.subarray(0, at), whole.subarray(at)])
  list.push(Array.from(whole, (byte) => Buffer.from([byte])))
  const { peer, pool } = await peerAndPool(t, answers(list), { maxAge: 0 })
  for (let n = 0; n < list.length; n++) isHead(t, await sent(t, pool), `answer ${n}`)
  t.equal(peer.requests.length, list.length)
})

t.test('line ends of all kinds, also mixed, and a head alone in its record', async (t) => {
  const heads = ['X: 1\n\n', 'X: 1\r\n\n', 'X: 1\n\r\n', 'X: 1\r\n\r\n']
  const list = heads.flatMap((head) => [
    [stdoutRecords(`${head}b`), endRecord()],
    [stdoutRecords(head), stdoutRecords('b'), endRecord()],
  ])
  const { pool } = await peerAndPool(t, answers(list))
  for (const [n] of list.entries()) {
    const { status, headers, body } = await sent(t, pool)
    t.strictSame([status, headers, body.toString()], [200, ['X', '1'], 'b'], `answer ${n}`)
  }
})

t.test('stderr anywhere does not touch the response', async (t) => {
  const flood = Buffer.concat(
    Array.from({ length: 16 }, () => record(STDERR, Buffer.alloc(65_535, 'x'))),
  )
  const [front, rest] = [HEAD.slice(0, 20), `${HEAD.slice(20)}body`]
  const out = (text: string) => record(STDOUT, text)
  const places = {
    'before the head': [flood, out(front), out(rest), endRecord()],
    'inside the head': [out(front), flood, out(rest), endRecord()],
    'after the end of STDOUT': [out(front), out(rest), record(STDOUT), flood, endRecord()],
  }
  for (const [place, parts] of Object.entries(places)) {
    const { outcome, pool } = await answer(t, ...parts)
    isHead(t, outcome, place)
    const length = outcome.stderr.join('').length
    t.ok(length > 8000 && length < 70_000, `${place}: some is kept, not a megabyte`)
    t.match(outcome.stderr.at(-1), /bytes left out/)
    t.equal(pool.stats.idle, 1, 'the connection is as good as ever')
  }
})

t.test('lines of stderr are whole, whatever the records', async (t) => {
  const text = 'PHP Warning: a\nPHP Notice: \u001b[2Jb\r\nlast'
  const records = Array.from(Buffer.from(text), (byte) => record(STDERR, Buffer.from([byte])))
  const { outcome } = await answer(t, ...records, response('b'), record(STDERR), endRecord())
  t.strictSame(outcome.stderr, ['PHP Warning: a', 'PHP Notice: \\x1b[2Jb', 'last'])
  t.equal(outcome.body.toString(), 'b')
})

t.test('the empty STDOUT', async (t) => {
  t.test('at the end, or nowhere, makes no difference', async (t) => {
    for (const end of [record(STDOUT), Buffer.alloc(0)]) {
      const { outcome, pool } = await answer(t, response('all'), end, endRecord(3))
      t.strictSame([outcome.body.toString(), outcome.appStatus], ['all', 3])
      t.equal(pool.stats.idle, 1)
    }
  })
  t.test('in the middle: what follows it is refused, never a second response', async (t) => {
    const { outcome, pool } = await answer(t, response('part'), record(STDOUT), response('more'))
    t.ok(outcome.error instanceof ProtocolError)
    t.equal(outcome.body.toString(), 'part')
    t.equal(pool.stats.connections, 0)
  })
  t.test('before the head: no response', async (t) => {
    const { outcome } = await answer(t, record(STDOUT), endRecord())
    t.ok(outcome.error instanceof ProtocolError)
  })
})

t.test('bodies of every size around what a record and a buffer hold', async (t) => {
  const sizes = [0, 1, 65_527, 65_528, 65_535, 65_536, 131_070, 131_072, 1_000_000]
  const bodies = sizes.map((size) => randomBytes(size))
  const list = bodies.map((body) => [Buffer.concat([response(body), endRecord()])])
  const { pool } = await peerAndPool(t, answers(list))
  for (const body of bodies) {
    const outcome = await sent(t, pool)
    t.ok(outcome.body.equals(body), `${body.length} bytes`)
  }
})

t.test('records at their limits: full content, full padding, padding alone', async (t) => {
  const content = randomBytes(65_535)
  const { outcome, pool } = await answer(
    t,
    record(STDOUT, 'X: 1\n\n', { padding: 255 }),
    record(STDOUT, content, { padding: 255 }),
    record(STDERR, '', { padding: 255 }),
    record(STDOUT, content, { padding: 1 }),
    record(STDOUT, '', { padding: 255 }),
    record(END_REQUEST, Buffer.alloc(8), { padding: 255 }),
  )
  t.ok(outcome.body.equals(Buffer.concat([content, content])))
  t.equal(pool.stats.idle, 1, 'padding of END_REQUEST read, connection clean')
})

t.test('informational heads come before the head', async (t) => {
  const { outcome } = await answer(
    t,
    stdoutRecords('Status: 103\nLink: </a>\n\nStatus: 100\n\nX: 1\n\nb'),
    endRecord(),
  )
  t.strictSame([outcome.informational, outcome.status], [[103, 100], 200])
  t.equal(outcome.body.toString(), 'b')
})

t.test('END_REQUEST', async (t) => {
  t.test('appStatus 255 and 2^32 - 1 end a response well', async (t) => {
    for (const appStatus of [255, 0xffff_ffff]) {
      const { outcome, pool } = await answer(t, response(), endRecord(appStatus))
      t.equal(outcome.appStatus, appStatus)
      t.equal(pool.stats.idle, 1)
    }
  })

  const failures = {
    'OVERLOADED, nothing sent': [[endRecord(0, 2)], 'FCGI_OVERLOADED'],
    'OVERLOADED after a body': [[response(), endRecord(0, 2)], 'FCGI_OVERLOADED'],
    UNKNOWN_ROLE: [[endRecord(0, 3)], 'FCGI_PROTOCOL'],
    'a status nobody knows': [[response(), endRecord(0, 4)], 'FCGI_PROTOCOL'],
    'CANT_MPX_CONN after a body': [[response(), endRecord(0, 1)], 'FCGI_PROTOCOL'],
    'before STDOUT': [[endRecord(0, 0)], 'FCGI_PROTOCOL'],
    'after stderr only': [[record(STDERR, 'oh'), endRecord(255)], 'FCGI_PROTOCOL'],
    'inside the head': [[record(STDOUT, 'X: 1\n'), endRecord()], 'FCGI_PROTOCOL'],
    'of 7 bytes': [[response(), record(END_REQUEST, Buffer.alloc(7))], 'FCGI_PROTOCOL'],
    'of 9 bytes': [[response(), record(END_REQUEST, Buffer.alloc(9))], 'FCGI_PROTOCOL'],
    'of 0 bytes': [[response(), record(END_REQUEST)], 'FCGI_PROTOCOL'],
  } as const
  for (const [name, [parts, code]] of Object.entries(failures))
    t.test(`${name}: ${code}, connection closed`, async (t) => {
      const { outcome, pool, peer } = await answer(t, ...parts)
      t.equal(outcome.error?.code, code)
      t.equal(pool.stats.connections, 0)
      t.equal(peer.requests.length, 1, 'not tried again')
      await peer.connections[0]?.closed
    })

  t.test('what comes after it belongs to nobody: response good, connection closed', async (t) => {
    for (const surplus of [
      Buffer.from([1]),
      record(STDOUT, 'evil'),
      endRecord(),
      response('evil'),
    ]) {
      const { outcome, pool, peer } = await answer(t, response('good'), endRecord(), surplus)
      t.strictSame([outcome.error, outcome.body.toString()], [undefined, 'good'])
      t.equal(pool.stats.connections, 0)
      await peer.connections[0]?.closed
    }
  })
})

t.test('records nobody may send: FCGI_PROTOCOL, connection closed', async (t) => {
  const strange = {
    'version 0': record(STDOUT, 'a', { version: 0 }),
    'version 2': record(STDOUT, 'a', { version: 2 }),
    'STDOUT of request 2': record(STDOUT, 'a', { id: 2 }),
    'STDOUT of request 0': record(STDOUT, 'a', { id: 0 }),
    'STDERR of request 257': record(STDERR, 'a', { id: 257 }),
    'empty STDOUT of request 2': record(STDOUT, '', { id: 2 }),
    'END_REQUEST of request 2': record(END_REQUEST, Buffer.alloc(8), { id: 2 }),
    'type 0': record(0, 'a'),
    'type 12': record(12, 'a'),
    'type 99': record(99, 'a'),
    BEGIN_REQUEST: record(RecordType.BEGIN_REQUEST, Buffer.alloc(8)),
    STDIN: record(RecordType.STDIN, 'a'),
    'the empty PARAMS': record(RecordType.PARAMS),
    DATA: record(RecordType.DATA, 'a'),
    'UNKNOWN_TYPE of request 1': record(UNKNOWN_TYPE, Buffer.alloc(8)),
    'an HTTP server': Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
  }
  for (const [name, bytes] of Object.entries(strange))
    t.test(name, async (t) => {
      for (const before of [Buffer.alloc(0), record(STDOUT, 'X: 1\n\nbody')]) {
        const { outcome, pool } = await answer(t, before, bytes, endRecord())
        t.ok(outcome.error instanceof ProtocolError, String(outcome.error))
        t.equal(outcome.body.toString(), before.length > 0 ? 'body' : '')
        t.equal(pool.stats.connections, 0)
      }
    })
})

t.test('management records in between are no harm', async (t) => {
  const { outcome, pool } = await answer(
    t,
    record(UNKNOWN_TYPE, Buffer.alloc(8), { id: 0 }),
    response('b'),
    record(GET_VALUES_RESULT, '', { id: 0 }),
    endRecord(),
  )
  t.equal(outcome.body.toString(), 'b')
  t.equal(pool.stats.idle, 1)
})

t.test('heads that mean nothing: FCGI_PROTOCOL', async (t) => {
  for (const head of [
    'no head at all\n\nbody',
    'Status: 101\n\n',
    'Status: abc\n\n',
    'A: \0\n\n',
  ]) {
    const { outcome } = await answer(t, stdoutRecords(head), endRecord())
    t.equal(outcome.error?.code, 'FCGI_PROTOCOL', JSON.stringify(head))
    t.equal(outcome.status, undefined)
  }
})

t.test('a head over maxHeadSize fails, and says which option it is', async (t) => {
  const script = answers([[stdoutRecords(`X: ${'a'.repeat(2000)}`)]])
  const { pool } = await peerAndPool(t, script, { maxHeadSize: 1000 })
  const { error } = await sent(t, pool)
  t.match(error, { code: 'FCGI_PROTOCOL', message: /1000 bytes \(option maxHeadSize\)/ })
})

t.test('a handler that throws fails its own request only', async (t) => {
  const { pool } = await peerAndPool(
    t,
    eachRequest((_request, connection) => void connection.write(response(), endRecord())),
  )
  const oops = () => {
    throw new Error('oops')
  }
  for (const hooks of [{ onHead: oops }, { onData: oops }]) {
    const { error } = await sent(t, pool, {}, hooks)
    t.match(error, { code: 'FCGI_HANDLER', message: /oops/, cause: { message: 'oops' } })
    t.equal(pool.stats.connections, 0)
  }
  t.equal((await sent(t, pool)).status, 200)
})

t.test('EOF in every state is a failure, never the end of a response', async (t) => {
  const head = record(STDOUT, 'X: 1\r\n\r\n')
  const states = {
    'before any byte': [[], 'without an answer'],
    'in a record header': [[head.subarray(0, 5)], 'before the response head was complete'],
    'in the head': [[record(STDOUT, 'X: 1\r\n')], 'before the response head was complete'],
    'after the head': [[head], 'in the middle of the response body'],
    'in the body': [[head, record(STDOUT, 'part')], 'in the middle of the response body'],
    'in a record of the body': [
      [head, record(STDOUT, 'whole').subarray(0, 10)],
      'in the middle of the response body',
    ],
    'in padding': [
      [head, record(STDOUT, 'whole', { padding: 9 }).subarray(0, -1)],
      'in the middle of the response body',
    ],
    'after the empty STDOUT': [
      [response('whole'), record(STDOUT)],
      'in the middle of the response body',
    ],
    'in END_REQUEST': [
      [response('whole'), endRecord().subarray(0, 15)],
      'in the middle of the response body',
    ],
  } as const
  for (const listen of ['unix', 'tcp'] as const)
    for (const way of ['finish', 'reset'] as const)
      for (const [name, [parts, message]] of Object.entries(states))
        t.test(`${way} ${name}, ${listen}`, async (t) => {
          const script = eachRequest(async (request, connection) => {
            await request.stdin()
            if (parts.length > 0) await connection.writeSlowly(parts)
            // A reset may overtake what has been written.
            await turns(3)
            connection[way]()
          })
          const { pool, peer } = await peerAndPool(t, script, { listen })
          const outcome = await sent(t, pool, { idempotent: true })
          t.ok(outcome.error instanceof PrematureCloseError, String(outcome.error))
          if (way === 'finish') t.match(outcome.error?.message, message)
          t.match(outcome.error?.message, pool.address.name)
          t.equal(pool.stats.connections, 0)
          t.equal(peer.requests.length, 1, 'not tried again')
        })
})
