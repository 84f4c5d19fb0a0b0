/** FastCGI 1.0, clause by clause, as web servers see it: records in, records out. */

import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { FastCGIRequest } from '@fastcgi/application'
import {
  decodeNameValues,
  encodeAbortRequest,
  encodeGetValues,
  encodeNameValues,
  encodeRecord,
  encodeRequestHead,
  ProtocolStatus,
  RecordType,
  Role,
} from '@fastcgi/protocol'
import t from 'tap'
import { turns, until, within } from '../helpers/wait.ts'
import { connectTo, startServer } from '../helpers/web-server.ts'

const hello = (_req: FastCGIRequest, res: ServerResponse) => res.end('hello')

t.test('a response: STDOUT, its end, END_REQUEST (§5.5, §6.1)', async (t) => {
  const { port } = await startServer(t, hello)
  const web = await connectTo(t, port)
  const response = await web.get()
  t.equal(response.status, 200)
  t.equal(response.body, 'hello')
  t.equal(response.stdout.toString(), 'Content-Length: 5\r\nStatus: 200 OK\r\n\r\nhello')
  t.equal(response.stdoutEnded, true, 'empty record of STDOUT')
  t.strictSame(response.end, { appStatus: 0, protocolStatus: ProtocolStatus.REQUEST_COMPLETE })
  t.equal(response.stderrEnded, false, 'no STDERR where none was used')
})

t.test('KEEP_CONN decides who closes (§3.5)', async (t) => {
  const { port } = await startServer(t, hello)
  const kept = await connectTo(t, port)
  for (let n = 0; n < 3; n++) t.equal((await kept.get()).body, 'hello')
  t.equal(kept.socket.readableEnded, false)
  const single = await connectTo(t, port)
  t.equal((await single.get({ keep: false })).body, 'hello')
  await within('the end of the connection', single.ended)
})

t.test('any cut of the records: byte by byte (§3.3)', async (t) => {
  const { port } = await startServer(t, (req, res) => req.pipe(res))
  const web = await connectTo(t, port)
  web.socket.setNoDelay(true)
  const params = {
    REQUEST_METHOD: 'POST',
    REQUEST_URI: '/',
    CONTENT_LENGTH: '9',
    LONG: 'x'.repeat(300),
  }
  const head = encodeRequestHead({
    requestId: 1,
    role: Role.RESPONDER,
    keepConnection: true,
    params: encodeNameValues(Object.entries(params)),
    stdin: Buffer.from('body body'),
    endStdin: true,
  })
  const answer = web.answer()
  for (const byte of head) {
    web.socket.write(Buffer.of(byte))
    await turns(1)
  }
  await within('END_REQUEST', answer.done)
  t.match(answer.stdout.toString(), /\r\n\r\nbody body$/)
})

t.test(
  'PARAMS that straddle records, padding, the long form of short lengths (§3.3, §3.4)',
  async (t) => {
    const { port } = await startServer(t, (req, res) =>
      res.end(`${req.method} ${req.url} ${req.headers['x-a']}`),
    )
    const web = await connectTo(t, port)
    const block = Buffer.concat([
      encodeNameValues([
        ['REQUEST_METHOD', 'GET'],
        ['REQUEST_URI', '/u'],
      ]),
      Buffer.from([0x80, 0, 0, 8, 0x80, 0, 0, 1]),
      Buffer.from('HTTP_X_A1'),
    ])
    web.socket.write(
      encodeRecord(RecordType.BEGIN_REQUEST, 1, Buffer.from([0, 1, 1, 0, 0, 0, 0, 0])),
    )
    for (let at = 0; at < block.length; at += 3)
      web.socket.write(encodeRecord(RecordType.PARAMS, 1, block.subarray(at, at + 3)))
    web.socket.write(encodeRecord(RecordType.PARAMS, 1))
    web.socket.write(encodeRecord(RecordType.STDIN, 1))
    const answer = web.answer()
    await within('END_REQUEST', answer.done)
    t.match(answer.stdout.toString(), /GET \/u 1$/)
  },
)

t.test('GET_VALUES, any time; unknown names are left out (§4.1)', async (t) => {
  const { port } = await startServer(t, hello, { maxConnections: 7, maxRequests: 9 })
  const web = await connectTo(t, port)
  const ask = async (names: string[]) => {
    const count = web.management.length
    web.socket.write(encodeGetValues(names))
    await web.until('GET_VALUES_RESULT', () => web.management.length > count)
    const { type, content } = web.management[count] ?? { type: 0, content: Buffer.alloc(0) }
    t.equal(type, RecordType.GET_VALUES_RESULT)
    return Object.fromEntries(decodeNameValues(content))
  }
  const all = { FCGI_MAX_CONNS: '7', FCGI_MAX_REQS: '9', FCGI_MPXS_CONNS: '1' }
  t.strictSame(await ask([...Object.keys(all), 'FCGI_X']), all)
  t.strictSame(await ask(['FCGI_MPXS_CONNS']), { FCGI_MPXS_CONNS: '1' })
  t.strictSame(await ask([]), {})
  web.ask({ body: undefined })
  t.strictSame(await ask(['FCGI_MAX_REQS']), { FCGI_MAX_REQS: '9' }, 'inside a request')

  const serial = await startServer(t, hello, { multiplex: false })
  const other = await connectTo(t, serial.port)
  other.socket.write(encodeGetValues(['FCGI_MPXS_CONNS']))
  await other.until('GET_VALUES_RESULT', () => other.management.length > 0)
  t.strictSame(decodeNameValues(other.management[0]?.content ?? Buffer.alloc(0)), [
    ['FCGI_MPXS_CONNS', '0'],
  ])
})

t.test('UNKNOWN_TYPE for management records that are not understood (§4.2)', async (t) => {
  const { port } = await startServer(t, hello)
  const web = await connectTo(t, port)
  web.socket.write(encodeRecord(77 as RecordType, 0, Buffer.from('whatever')))
  web.socket.write(encodeRecord(78 as RecordType, 5))
  t.equal((await web.get()).body, 'hello', 'of an application record nothing is said')
  t.strictSame(web.management, [
    { type: RecordType.UNKNOWN_TYPE, content: Buffer.from([77, 0, 0, 0, 0, 0, 0, 0]) },
  ])
})

t.test('CANT_MPX_CONN for a second id, where it is not to be multiplexed (§5.5)', async (t) => {
  const held: ServerResponse[] = []
  const { port } = await startServer(t, (_req, res) => void held.push(res), { multiplex: false })
  const web = await connectTo(t, port)
  const first = web.ask({ id: 1 })
  await until('the request', () => held.length === 1)
  const second = web.ask({ id: 2 })
  await within('the refusal', second.done)
  t.strictSame(second.end, { appStatus: 0, protocolStatus: ProtocolStatus.CANT_MPX_CONN })
  t.equal(second.stdout.length, 0)
  held[0]?.end('one')
  await within('the first', first.done)
  t.equal(first.end?.protocolStatus, ProtocolStatus.REQUEST_COMPLETE)
  const third = web.ask({ id: 2 })
  await until('the request', () => held.length === 2)
  held[1]?.end('two')
  await within('the second', third.done)
  t.match(third.stdout.toString(), /two$/, 'one after the other they are served')
})

t.test('OVERLOADED over maxRequests, on any connection (§5.5)', async (t) => {
  const held: ServerResponse[] = []
  const { port } = await startServer(t, (_req, res) => void held.push(res), { maxRequests: 2 })
  const [one, two] = [await connectTo(t, port), await connectTo(t, port)]
  const answers = [one.ask({ id: 1 }), one.ask({ id: 2 })]
  await until('both requests', () => held.length === 2)
  const third = two.ask({ id: 1 })
  await within('the refusal', third.done)
  t.strictSame(third.end, { appStatus: 0, protocolStatus: ProtocolStatus.OVERLOADED })
  held[0]?.end('a')
  await within('the first', answers[0]?.done ?? Promise.reject())
  two.ask({ id: 3 })
  await until('it to be served', () => held.length === 3)
})

t.test('OVERLOADED over maxConnections; the connection is closed', async (t) => {
  const { port } = await startServer(t, hello, { maxConnections: 1 })
  const first = await connectTo(t, port)
  t.equal((await first.get()).body, 'hello')
  const second = await connectTo(t, port)
  const answer = second.ask()
  await within('the refusal', answer.done)
  t.equal(answer.end?.protocolStatus, ProtocolStatus.OVERLOADED)
  await within('the end of the connection', second.ended)
  t.equal((await first.get()).body, 'hello')
  first.socket.end()
  await within('the end of the first', first.closed)
  const third = await connectTo(t, port)
  t.equal((await third.get()).body, 'hello', 'there is room again')
})

t.test('UNKNOWN_ROLE for roles that nobody serves (§5.5)', async (t) => {
  const { port } = await startServer(t, hello)
  const web = await connectTo(t, port)
  for (const role of [0, Role.AUTHORIZER, Role.FILTER, 4, 65_535]) {
    const answer = web.ask({ role })
    await within('the refusal', answer.done)
    t.strictSame(
      answer.end,
      { appStatus: 0, protocolStatus: ProtocolStatus.UNKNOWN_ROLE },
      `${role}`,
    )
  }
  t.equal((await web.get()).body, 'hello', 'the connection can be used further')
})

t.test('ABORT_REQUEST: the signal fires, END_REQUEST comes, others go on (§5.4)', async (t) => {
  const requests = new Map<string, { req: FastCGIRequest; res: ServerResponse }>()
  const { server, port } = await startServer(t, (req, res) => {
    requests.set(req.url ?? '', { req, res })
    server.emit(`got ${req.url}`)
  })
  const web = await connectTo(t, port)
  const both = Promise.all([once(server, 'got /a'), once(server, 'got /b')])
  const a = web.ask({ id: 1, params: { REQUEST_URI: '/a' } })
  const b = web.ask({ id: 2, params: { REQUEST_URI: '/b' }, body: undefined })
  await within('both', both)
  const [first, second] = [requests.get('/a'), requests.get('/b')]
  if (first === undefined || second === undefined) throw new Error('no requests')
  const closed = once(first.res, 'close')
  t.equal(first.req.signal.aborted, false)
  const aborted = once(first.req.signal, 'abort')
  const failed = once(second.req, 'error')
  web.socket.write(encodeAbortRequest(1))
  await within('the signal', aborted)
  await within('close of res', closed)
  await within('END_REQUEST', a.done)
  t.strictSame(a.end, { appStatus: 0, protocolStatus: ProtocolStatus.REQUEST_COMPLETE })
  first.res.end('too late')
  t.equal(second.req.signal.aborted, false)
  web.socket.write(encodeAbortRequest(2))
  const [error] = await within('an error on the body', failed)
  t.match(error, { message: 'aborted', code: 'ECONNRESET' }, 'as node:http says it')
  await within('END_REQUEST', b.done)
  const again = web.ask({ id: 1, params: { REQUEST_URI: '/c' } })
  await within('the next', once(server, 'got /c'))
  requests.get('/c')?.res.end('c')
  await within('END_REQUEST', again.done)
  t.match(again.stdout.toString(), /\r\n\r\nc$/, 'the id can be used again, and nothing old comes')
  t.equal(requests.get('/c')?.req.signal.aborted, false, 'no abort after a whole response')
})

t.test('a connection that is lost aborts its requests', async (t) => {
  const { server, port } = await startServer(t, (req) => server.emit('got', req))
  const web = await connectTo(t, port)
  const got = once(server, 'got')
  web.ask()
  const [req] = await within('the request', got)
  const aborted = once(req.signal, 'abort')
  web.socket.destroy()
  await within('the signal', aborted)
})

t.test('records of ids that are not active are ignored (§3.3)', async (t) => {
  const { port } = await startServer(t, hello)
  const web = await connectTo(t, port)
  for (const type of [RecordType.PARAMS, RecordType.STDIN, RecordType.DATA])
    web.socket.write(encodeRecord(type, 9, Buffer.from('x')))
  web.socket.write(encodeAbortRequest(9))
  t.equal((await web.get()).body, 'hello')
  web.stdin('late', 1, true)
  t.equal((await web.get({ id: 3 })).body, 'hello')
  t.equal(web.answer(9).end, undefined)
})

t.test('what breaks the protocol ends the connection, and says so by clientError', async (t) => {
  const cases: ReadonlyArray<readonly [string, Buffer, RegExp]> = [
    ['version', Buffer.from([2, 1, 0, 1, 0, 0, 0, 0]), /version 2/],
    [
      'length of BEGIN_REQUEST',
      encodeRecord(RecordType.BEGIN_REQUEST, 1, Buffer.alloc(7)),
      /7 bytes/,
    ],
    [
      'id 0',
      encodeRecord(RecordType.BEGIN_REQUEST, 0, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])),
      /request id 0/,
    ],
    [
      'params that are none',
      Buffer.concat([
        encodeRecord(RecordType.BEGIN_REQUEST, 1, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])),
        encodeRecord(RecordType.PARAMS, 1, Buffer.from([200, 0, 0])),
        encodeRecord(RecordType.PARAMS, 1),
      ]),
      /name-value pair/,
    ],
  ]
  const { server, port } = await startServer(t, hello)
  for (const [name, bytes, message] of cases) {
    const web = await connectTo(t, port)
    const failed = once(server, 'clientError')
    web.socket.write(bytes)
    const [error] = await within('clientError', failed)
    t.match(error, { code: 'FCGI_PROTOCOL', message }, name)
    await within('the end of the connection', web.closed)
  }
  const web = await connectTo(t, port)
  t.equal((await web.get()).body, 'hello')
  const failed = once(server, 'clientError')
  const held = await startServer(t, () => {})
  const other = await connectTo(t, held.port)
  const twice = once(held.server, 'clientError')
  other.ask({ id: 4 })
  other.ask({ id: 4 })
  const [error] = await within('clientError', twice)
  t.match(error, { message: /request id 4, which is in use/ })
  web.socket.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
  t.match((await within('clientError', failed))[0], { message: /version 71/ }, 'HTTP')
})

t.test('appStatus and STDERR', async (t) => {
  const { port } = await startServer(t, (req, res) => {
    req.fastcgi.stderr('first\n')
    req.fastcgi.stderr(`${'x'.repeat(70_000)}\n`)
    req.fastcgi.appStatus = 3
    res.end('ok')
  })
  const web = await connectTo(t, port)
  const response = await web.get()
  t.equal(response.stderr, `first\n${'x'.repeat(70_000)}\n`)
  t.equal(response.stderrEnded, true)
  t.strictSame(response.end, { appStatus: 3, protocolStatus: 0 })
  t.equal(response.body, 'ok')
})
