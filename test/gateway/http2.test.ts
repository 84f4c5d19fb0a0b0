/** HTTP/2 in front, with node:http2 and with Fastify. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { fastcgiProxy } from '@fastcgi/fastify'
import { createGateway, type GatewayOptions } from '@fastcgi/gateway'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { whole } from '../helpers/behind.ts'
import {
  eachRequest,
  type Peer,
  type Script,
  startPeer,
  stdoutRecords,
} from '../helpers/scripted-peer.ts'
import { turns, until, within } from '../helpers/wait.ts'

const warnings: string[] = []
process.on('warning', ({ message }) => void warnings.push(message))

interface Front {
  session: ClientHttp2Session
  peer: Peer
  log: string[]
  /** Lines of the level info. */
  notes: string[]
  call(
    headers: OutgoingHttpHeaders,
    body?: Buffer,
  ): Promise<{ headers: IncomingHttpHeaders; body: Buffer }>
}

async function front(
  t: Test,
  kind: string,
  script: Script,
  more: GatewayOptions<unknown> = {},
): Promise<Front> {
  const peer = await startPeer(script)
  const log: string[] = []
  const notes: string[] = []
  const keep = (_details: object, message: string): void => void log.push(message)
  const info = (_details: object, message: string): void => void notes.push(message)
  const logger = { info, warn: keep, error: keep }
  const options = {
    upstream: peer.address,
    root: '/srv',
    checkLocal: false,
    logger,
    retries: 0,
    spoolMemory: 0,
    ...more,
  }
  let port = 0
  let close: () => Promise<void>
  if (kind === 'fastify') {
    const app = Fastify({ http2: true })
    app.register(fastcgiProxy, options)
    await app.listen({ host: '127.0.0.1', port: 0 })
    port = (app.server.address() as AddressInfo).port
    close = () => app.close()
  } else {
    const gateway = createGateway(options)
    const server = createServer((req, res) =>
      gateway.handler(req as unknown as IncomingMessage, res as unknown as ServerResponse),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
    close = async () => {
      await new Promise((resolve) => server.close(resolve))
      await gateway.close()
    }
  }
  const session = connect(`http://127.0.0.1:${port}`)
  t.teardown(async () => {
    session.destroy()
    await close()
    await peer.close()
  })
  const call: Front['call'] = async (headers, body) => {
    const stream = session.request(headers, { endStream: body === undefined })
    if (body !== undefined) stream.end(body)
    const [head] = await within('a response', once(stream, 'response'))
    return { headers: head, body: await buffer(stream) }
  }
  return { session, peer, log, notes, call }
}

const NAMES = [
  'REQUEST_METHOD',
  'SERVER_PROTOCOL',
  'HTTP_HOST',
  'SERVER_NAME',
  'CONTENT_LENGTH',
  'HTTP_COOKIE',
]
const echo = eachRequest(async (request, connection) => {
  const params = NAMES.map((name) => request.params[name] ?? '-').join(' ')
  const head = `Status: 200 Fine\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\nX-Params: ${params}\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n`
  connection.write(whole(head, await request.stdin()))
})

for (const kind of ['node:http2', 'fastify']) {
  t.test(`GET (${kind})`, async (t) => {
    const { call, peer } = await front(t, kind, echo)
    const { headers } = await call({
      ':path': '/a.php?q',
      ':authority': 'www.example:8',
      cookie: ['a=1', 'b=2'] as never,
    })
    t.equal(headers[':status'], 200)
    t.equal(headers['x-params'], 'GET HTTP/2.0 www.example:8 www.example - a=1; b=2')
    t.strictSame(headers['set-cookie'], ['a=1', 'b=2'])
    t.notOk('connection' in headers || 'keep-alive' in headers || 'transfer-encoding' in headers)
    const names = Object.keys(peer.requests[0]?.params ?? {})
    t.strictSame(
      names.filter((name) => /[^A-Z_]/.test(name)),
      [],
      'no pseudo header field becomes a param',
    )
  })

  t.test(`POST with and without content-length, and HEAD (${kind})`, async (t) => {
    const { call } = await front(t, kind, echo)
    const body = Buffer.alloc(100_000, 'x')
    const post = { ':method': 'POST', ':path': '/a.php' }
    for (const headers of [{ ...post, 'content-length': body.length }, post]) {
      const answer = await call(headers, body)
      t.match(answer.headers['x-params'], / 100000 -$/)
      t.ok(answer.body.equals(body))
    }
    const empty = await call({ ...post }, Buffer.alloc(0))
    t.match(empty.headers['x-params'], /POST .* (0|-) -$/)
    const head = await call({ ':method': 'HEAD', ':path': '/a.php' })
    t.strictSame([head.headers[':status'], head.body.length], [200, 0])
  })

  t.test(`a megabyte down, a piece at a time (${kind})`, async (t) => {
    const script = eachRequest(async (_request, connection) => {
      await connection.writeSlowly([
        stdoutRecords('X-A: 1\r\n\r\n'),
        ...Array.from({ length: 16 }, () => stdoutRecords(Buffer.alloc(65_536, 'y'))),
      ])
      connection.end()
    })
    const { call } = await front(t, kind, script)
    const { body } = await call({ ':path': '/a.php' })
    t.ok(body.equals(Buffer.alloc(1_048_576, 'y')))
  })

  t.test(`what breaks off is reset (${kind})`, async (t) => {
    const script = eachRequest(async (_request, connection) => {
      await connection.writeSlowly([stdoutRecords('X-A: 1\r\n\r\n'), stdoutRecords('part')])
      connection.destroy()
    })
    const { session } = await front(t, kind, script)
    const stream = session.request({ ':path': '/a.php' })
    stream.resume()
    const [error] = await within(
      'an error',
      once(stream, 'error').catch((error) => [error]),
    )
    t.match(error, { code: 'ERR_HTTP2_STREAM_ERROR' })
  })

  t.test(`a reset by the client stops the application (${kind})`, async (t) => {
    const script = eachRequest(async (request, connection) => {
      if (request.params.QUERY_STRING === 'body') connection.write(stdoutRecords('X-A: 1\r\n\r\nx'))
    })
    const { session, peer, log } = await front(t, kind, script)
    for (const [n, path] of ['/a.php?head', '/a.php?body'].entries()) {
      const stream = session.request({ ':path': path })
      stream.on('error', () => {})
      if (n === 0) await until('the request', () => peer.requests.length === 1)
      else await within('the head', once(stream, 'response'))
      stream.close(8)
      await until('the connection closing', () => peer.open === 0)
    }
    const upload = session.request({ ':path': '/a.php', ':method': 'POST', 'content-length': 100 })
    upload.on('error', () => {})
    upload.write('some')
    await until('a part of the body', () => peer.requests[2]?.stdinLength === 4)
    upload.close(8)
    await until('the connection closing', () => peer.open === 0)
    t.notOk(peer.requests[2]?.stdinEnded)
    await turns(20)
    t.strictSame(log, [])
  })

  t.test(`a client that takes nothing of one stream (${kind})`, async (t) => {
    const files = t.testdir()
    writeFileSync(join(files, 'large.bin'), Buffer.alloc(8_000_000))
    const script = eachRequest(async ({ params }, connection) => {
      if (params.QUERY_STRING === 'small') connection.write(whole('X-A: 1\r\n\r\n', 'small'))
      if (params.QUERY_STRING === 'file')
        connection.write(whole(`X-Sendfile: ${join(files, 'large.bin')}\r\n\r\n`))
      if (params.QUERY_STRING === 'complete')
        connection.write(whole('X-A: 1\r\n\r\n', Buffer.alloc(500_000)))
      if (params.QUERY_STRING !== 'endless') return
      connection.write(stdoutRecords('X-A: 1\r\n\r\n'))
      const piece = stdoutRecords(Buffer.alloc(60_000))
      const write = () => new Promise((resolve) => connection.socket.write(piece, resolve))
      while (!connection.isClosed && !(await write()));
    })
    const sendfile = { roots: [files] }
    const timeouts = { send: 300 }
    const buffering = { memory: 10_000, file: 1_000_000 }
    for (const more of [{}, { buffering }]) {
      const options = { sendfile, timeouts, ...more }
      const { session, call, peer, log, notes } = await front(t, kind, script, options)
      for (const [n, path] of ['/a.php?endless', '/a.php?file', '/a.php?complete'].entries()) {
        const stream = session.request({ ':path': path })
        stream.on('error', () => {})
        stream.pause()
        // Other streams of the connection go on, and do not count as progress of this one.
        const others = setInterval(() => void call({ ':path': '/a.php?small' }), 20)
        await until('a line in the log', () => notes.length > n)
        clearInterval(others)
        t.match(notes[n], /^response broken off: .* 300 ms \(option timeouts\.send\)$/, path)
        stream.resume()
        await until('the stream closing', () => stream.destroyed)
        t.equal(stream.rstCode, constants.NGHTTP2_CANCEL)
      }
      t.equal((await call({ ':path': '/a.php?small' })).body.toString(), 'small')
      await until('the application being released', () => peer.open <= 1)
      t.strictSame(log, [])
    }
  })

  t.test(`streams of one connection run at the same time (${kind})`, async (t) => {
    let release: () => void = () => {}
    const allHere = new Promise<void>((resolve) => {
      release = resolve
    })
    const script = eachRequest(async (_request, connection) => {
      if (peer.requests.length === 10) release()
      await allHere
      connection.write(whole('X-A: 1\r\n\r\n', 'x'))
    })
    const { call, peer } = await front(t, kind, script)
    const calls = Array.from({ length: 10 }, () => call({ ':path': '/a.php' }))
    for (const { body } of await Promise.all(calls)) t.equal(body.toString(), 'x')
  })

  t.test(`errors (${kind})`, async (t) => {
    const { call } = await front(t, kind, (connection) => connection.finish())
    const { headers, body } = await call({ ':path': '/a.php' })
    t.equal(headers[':status'], 502)
    t.notMatch(body.toString(), /unix:/)
    t.equal((await call({ ':path': '/%00' })).headers[':status'], 400)
  })
}

t.test('no warnings of Node', async (t) => {
  await turns(5)
  t.strictSame(warnings, [])
})
