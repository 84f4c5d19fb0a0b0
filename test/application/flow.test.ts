/** Backpressure of bodies, both ways, and bodies that nobody reads. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { FastCGIRequest } from '@fastcgi/application'
import t from 'tap'
import { delay, until, within } from '../helpers/wait.ts'
import { connectTo, parse, startServer } from '../helpers/web-server.ts'

const POST = { REQUEST_METHOD: 'POST' }

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
