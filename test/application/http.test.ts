/** What listeners find on req and res: what they find under node:http. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { Server } from 'node:http'
import { Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { createServer, type FastCGIRequest, fastcgiContext } from '@fastcgi/application'
import t from 'tap'
import { delay, until, within } from '../helpers/wait.ts'
import { connectTo, parse, startServer, WebServer } from '../helpers/web-server.ts'

const POST = { REQUEST_METHOD: 'POST' }

t.test('req', async (t) => {
  let seen: FastCGIRequest | undefined
  const { port } = await startServer(t, (req, res) => {
    seen = req
    res.end()
  })
  const web = await connectTo(t, port)
  await web.get({
    id: 5,
    params: {
      ...POST,
      REQUEST_URI: '/a?b',
      HTTP_X_A: 'ü',
      CONTENT_LENGTH: '0',
      REMOTE_ADDR: '192.0.2.1',
      REMOTE_PORT: '99',
      HTTPS: 'on',
      SCRIPT_FILENAME: '/srv/ü',
      USER_NAME: 'ada',
    },
  })
  if (seen === undefined) throw new Error('no request')
  t.match(seen, {
    method: 'POST',
    url: '/a?b',
    httpVersion: '1.1',
    httpVersionMajor: 1,
    complete: true,
  })
  t.equal(seen.headers['x-a'], 'Ã¼', 'latin1, as under node:http')
  t.same(seen.headersDistinct, {
    host: ['localhost'],
    'content-length': ['0'],
    'x-a': ['Ã¼'],
  })
  t.match(seen.socket, { remoteAddress: '192.0.2.1', remotePort: 99, encrypted: true })
  t.equal(seen.fastcgi.role, 'responder')
  t.equal(seen.fastcgi.requestId, 5)
  t.equal(seen.fastcgi.keepConnection, true)
  t.equal(seen.fastcgi.params.SCRIPT_FILENAME, '/srv/ü')
  t.strictSame(seen.fastcgi.variables, { USER_NAME: 'ada' })
  t.equal(fastcgiContext(seen), seen.fastcgi)
  t.ok(createServer() instanceof Server)
})

t.test('HEAD, 204 and 304 have no body, and keep their fields', async (t) => {
  const { port } = await startServer(t, (req, res) => {
    res.statusCode = Number(req.url?.slice(1))
    res.setHeader('X-A', 'b')
    res.setHeader('Content-Length', 4)
    res.end('body')
  })
  const web = await connectTo(t, port)
  const head = await web.get({ params: { REQUEST_METHOD: 'HEAD', REQUEST_URI: '/200' } })
  t.match(head, { status: 200, body: '', headers: { 'content-length': '4', 'x-a': 'b' } })
  for (const status of [204, 304]) {
    const response = await web.get({ params: { REQUEST_URI: `/${status}` } })
    t.match(response, { status, body: '', headers: { 'x-a': 'b' } })
  }
})

t.test(
  'no chunked encoding on the wire, whatever the listener says; no trailers, no 1xx',
  async (t) => {
    const { port } = await startServer(t, (_req, res) => {
      let hinted = false
      res.writeEarlyHints({ link: '</a.css>' }, () => {
        hinted = true
      })
      res.writeContinue()
      res.writeProcessing()
      res.setHeader('Transfer-Encoding', 'chunked')
      res.setHeader('Trailer', 'X-T')
      res.setHeader('Connection', 'close')
      res.writeHead(200, { 'Keep-Alive': 'timeout=3', 'X-A': 'b' })
      res.write('one ')
      res.addTrailers({ 'X-T': '1' })
      setImmediate(() => res.end(`two ${hinted}`))
    })
    const web = await connectTo(t, port)
    const { stdout } = await web.get()
    t.equal(stdout.toString(), 'X-A: b\r\nStatus: 200 OK\r\n\r\none two true')
  },
)

t.test('fields: several Set-Cookie, latin1 values, a reason of its own', async (t) => {
  const { port } = await startServer(t, (_req, res) => {
    res.setHeader('Set-Cookie', ['a=1', 'b=2'])
    res.writeHead(299, 'Quite Fine', { 'X-Latin': 'ü' })
    res.end(Buffer.from('x'))
  })
  const web = await connectTo(t, port)
  const { stdout } = await web.get()
  t.match(
    stdout.toString('latin1'),
    /^Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Latin: ü\r\nStatus: 299 Quite Fine\r\n/,
  )
})

t.test('all forms of write and end', async (t) => {
  const done: string[] = []
  const { port } = await startServer(t, (_req, res) => {
    res.flushHeaders()
    res.cork()
    res.write('ä')
    res.write('c3b6', 'hex', () => done.push('hex'))
    res.uncork()
    res.write(new Uint8Array([0xc3, 0xbc]))
    res.end('!', 'latin1', () => done.push('end'))
  })
  const web = await connectTo(t, port)
  t.equal((await web.get()).body, 'äöü!')
  t.strictSame(done, ['hex', 'end'])
})

t.test(
  'events of a response: finish, then close, once each; of a request: end, then close',
  async (t) => {
    const events: string[] = []
    const { server, port } = await startServer(t, (req, res) => {
      for (const name of ['end', 'close', 'error', 'aborted'])
        req.on(name, () => events.push(`req ${name}`))
      for (const name of ['finish', 'close', 'error'])
        res.on(name, () => {
          events.push(`res ${name}`)
          if (name === 'close') server.emit('over')
        })
      req.resume()
      req.on('end', () => res.end('x'))
    })
    const over = once(server, 'over')
    const web = await connectTo(t, port)
    await web.get({ params: POST, body: 'body' })
    await within('close', over)
    t.strictSame(
      events.filter((name) => name.startsWith('res')),
      ['res finish', 'res close'],
    )
    t.strictSame(
      events.filter((name) => name.startsWith('req')),
      ['req end', 'req close'],
    )
  },
)

t.test('a body that nobody reads does not keep its request from ending', async (t) => {
  const { port } = await startServer(t, (_req, res) => res.writeHead(413).end('too much'))
  const web = await connectTo(t, port)
  const body = Buffer.alloc(300_000)
  for (let n = 0; n < 3; n++) {
    const params = { ...POST, CONTENT_LENGTH: String(body.length) }
    const response = await web.get({ params, body })
    t.match(response, { status: 413, body: 'too much' }, 'kept connection')
  }
})

t.test('a connection is not closed in the face of who still sends', async (t) => {
  const length = 1_000_000
  const { port } = await startServer(t, (_req, res) => res.writeHead(413).end(Buffer.alloc(length)))
  const web = await connectTo(t, port)
  // The response waits in the buffers of the system, from where a reset would remove it.
  web.socket.pause()
  const params = { ...POST, CONTENT_LENGTH: '9000000' }
  const answer = web.ask({ keep: false, params, body: undefined })
  web.stdin(Buffer.alloc(100_000))
  await delay(200)
  web.stdin(Buffer.alloc(2_000_000))
  await delay(50)
  web.socket.resume()
  await within('END_REQUEST', answer.done)
  t.equal(parse(answer).body.length, length)
  t.ok(answer.end)
})

t.test('upload and download of 100 MB, with backpressure', async (t) => {
  const length = 100_000_000
  const chunk = randomBytes(1_000_000)
  const { port } = await startServer(t, async (req, res) => {
    if (req.method === 'POST') {
      const hash = createHash('sha1')
      await pipeline(req, hash)
      res.end(hash.digest('hex'))
    } else {
      for (let sent = 0; sent < length; sent += chunk.length)
        if (!res.write(chunk)) await once(res, 'drain')
      res.end()
    }
  })
  const expected = createHash('sha1')
  for (let n = 0; n < 100; n++) expected.update(chunk)
  const sha1 = expected.digest('hex')

  const web = await connectTo(t, port)
  const answer = web.ask({ params: { ...POST, CONTENT_LENGTH: String(length) }, body: undefined })
  for (let n = 0; n < 100; n++) {
    web.stdin(chunk)
    if (web.socket.writableNeedDrain) await within('drain', once(web.socket, 'drain'))
  }
  await within('the answer', answer.done)
  t.match(answer.stdout.toString(), new RegExp(`${sha1}$`))

  const down = createHash('sha1')
  let received = -1
  const other = await connectTo(t, port)
  other.onStdout(2, (piece) => {
    const body = received === -1 ? piece.subarray(piece.indexOf('\r\n\r\n') + 4) : piece
    received = Math.max(received, 0) + body.length
    down.update(body)
  })
  const download = other.ask({ id: 2 })
  await within('the download', download.done, 60_000)
  t.equal(received, length)
  t.equal(down.digest('hex'), sha1)
})

t.test('drain: a stream can be piped after it', async (t) => {
  const { port } = await startServer(t, (_req, res) => {
    t.equal(res.write(Buffer.alloc(2_000_000)), false)
    t.equal(res.writableNeedDrain, true)
    res.once('drain', () => {
      t.equal(res.writableNeedDrain, false)
      Readable.from(['piped']).pipe(res)
    })
  })
  const web = await connectTo(t, port)
  t.match((await web.get()).body.slice(-5), 'piped')
})

t.test('a response that nobody reads stops the listener', async (t) => {
  let taken = 0
  const chunk = Buffer.alloc(65_536)
  const { port } = await startServer(t, async (_req, res) => {
    while (!res.destroyed) {
      taken += chunk.length
      if (!res.write(chunk))
        await new Promise<void>((resolve) => {
          const go = () => {
            res.off('drain', go).off('close', go)
            resolve()
          }
          res.on('drain', go).on('close', go)
        })
    }
  })
  const web = await connectTo(t, port)
  web.socket.pause()
  web.ask()
  let before = -1
  await until('it to stop', () => {
    const stopped = before === taken && taken > 0
    before = taken
    return stopped
  })
  t.ok(taken < 20_000_000, `${taken} bytes were taken`)
  web.socket.destroy()
})

t.test('a reader that is slow stops the sender', async (t) => {
  let request: FastCGIRequest | undefined
  const { port } = await startServer(t, (req) => {
    request = req
    req.on('error', () => {})
  })
  const web = await connectTo(t, port)
  web.ask({ params: { ...POST, CONTENT_LENGTH: '50000000' }, body: undefined })
  web.stdin(Buffer.alloc(50_000_000))
  await until('the request', () => request !== undefined && request.readableLength > 0)
  let before = -1
  await until('it to stop', () => {
    const stopped = before === web.socket.writableLength
    before = web.socket.writableLength
    return stopped
  })
  t.ok(web.socket.writableLength > 30_000_000, `${web.socket.writableLength} bytes wait`)
  t.ok((request?.readableLength ?? 0) < 1_000_000)
  const sum = { bytes: 0 }
  request?.on('data', (piece) => {
    sum.bytes += piece.length
  })
  await within('the rest', once(request as FastCGIRequest, 'end'))
  t.equal(sum.bytes, 50_000_000)
})

t.test('an upload that is cut short never looks complete', async (t) => {
  const outcomes: string[] = []
  const { port } = await startServer(t, (req, res) => {
    finished(req.resume()).then(
      () => outcomes.push('complete'),
      (error) => outcomes.push(error.code),
    )
    req.on('end', () => res.end('complete'))
  })
  const web = await connectTo(t, port)
  const params = { ...POST, CONTENT_LENGTH: '10' }
  const short = await web.get({ params, body: '12345' })
  t.match(short, { status: 400, headers: { 'content-type': 'text/plain' } })
  const long = await web.get({ params, body: '1234567890 and more' })
  t.match(long, { status: 200, body: 'complete' })
  web.ask({ params, body: undefined })
  web.stdin('12345')
  web.socket.end()
  await until('all three', () => outcomes.length === 3)
  t.strictSame(outcomes, ['ECONNRESET', 'complete', 'ECONNRESET'])
})

t.test('a response that is cut short never looks complete', async (t) => {
  const held: ServerResponse[] = []
  const { port } = await startServer(t, (req, res) => {
    if (req.url === '/held') held.push(res)
    else {
      res.write('a part')
      setImmediate(() => res.destroy())
    }
  })
  const web = await connectTo(t, port)
  const answer = web.ask()
  await within('the end of the connection', web.ended)
  t.match(answer.stdout.toString(), /a part$/)
  t.equal(answer.end, undefined, 'no END_REQUEST')

  const shared = await connectTo(t, port)
  const other = shared.ask({ id: 1, params: { REQUEST_URI: '/held' } })
  await until('the request', () => held.length === 1)
  const broken = shared.ask({ id: 2 })
  await shared.until('the part', () => broken.stdout.length > 0)
  const refused = shared.ask({ id: 3 })
  await within('the refusal', refused.done)
  t.equal(refused.end?.protocolStatus, 2, 'nothing new is begun on the connection')
  held[0]?.end('whole')
  await within('the other', other.done)
  t.match(other.stdout.toString(), /whole$/, 'the others on the connection end well')
  await within('the end of the connection', shared.ended)
  t.equal(broken.end, undefined)
})

t.test('a response that was not begun when it is given up becomes a 500', async (t) => {
  const { port } = await startServer(t, (_req, res) => res.destroy(new Error('given up')))
  const web = await connectTo(t, port)
  t.match(await web.get(), { status: 500, body: 'Internal Server Error\n' })
  t.match(await web.get({ id: 2 }), { status: 500 })
})

t.test('timeouts of req and res', async (t) => {
  const { port } = await startServer(t, (req, res) => {
    if (req.url === '/handled') res.setTimeout(30, () => res.end('late'))
    else req.socket.setTimeout(30)
  })
  const web = await connectTo(t, port)
  t.equal((await web.get({ params: { REQUEST_URI: '/handled' } })).body, 'late')
  t.equal((await web.get()).status, 500, 'as node:http, which closes the connection then')
})

t.test("what a listener throws is the program's to handle, as under node:http", async (t) => {
  const { server, port } = await startServer(t, () => {
    throw new Error('thrown by the listener')
  })
  const web = await connectTo(t, port)
  const thrown = new Promise((resolve) => {
    server.once('connection', () => {})
    process.setUncaughtExceptionCaptureCallback(resolve)
  })
  web.ask()
  t.match(await within('the exception', thrown), { message: 'thrown by the listener' })
  process.setUncaughtExceptionCaptureCallback(null)
  await within('the end of the connection', web.closed)
  t.ok(web instanceof WebServer)
})
