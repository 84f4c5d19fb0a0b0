/** Large bodies that go on without being copied arrive whole: beside each other, to slow clients, past whoever else looks. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { getDefaultHighWaterMark, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { type AdapterName, type AdapterOptions, eachAdapter } from '../helpers/adapters.ts'
import { type Behind, behind } from '../helpers/behind.ts'
import { ask, blocks, hashOf, hashOfBlocks, open } from '../helpers/php-http.ts'
import { rawConnect } from '../helpers/raw-http.ts'
import { endRecord, type Script, stdoutRecords } from '../helpers/scripted-peer.ts'
import { delay, until, within } from '../helpers/wait.ts'

const SIZE = 8_000_000
const HASH = hashOfBlocks(SIZE)
const BODY = Buffer.concat([...blocks(SIZE)])

/** Answers with SIZE bytes, or with what it got. */
const script: Script = async (connection) => {
  for (;;) {
    const request = await connection.request()
    const stdin = await request.stdin()
    const body = stdin.length > 0 ? createHash('md5').update(stdin).digest('hex') : BODY
    const length =
      request.params.QUERY_STRING === 'chunked' ? '' : `Content-Length: ${body.length}\n`
    const head = stdoutRecords(`Content-Type: text/plain\n${length}\n`)
    connection.write(head, stdoutRecords(body), endRecord())
  }
}

const start = (
  t: Parameters<typeof behind>[0],
  adapter: AdapterName,
  more: Partial<AdapterOptions>,
) => behind(t, adapter, script, { maxConnections: 16, ...more })

async function slowly(response: IncomingMessage): Promise<{ length: number; md5: string }> {
  const pieces = async function* () {
    for await (const chunk of response) {
      yield chunk as Buffer
      await delay(1)
    }
  }
  return hashOf(pieces())
}

eachAdapter(t, 'fast, slow and broken off beside each other', async (t, adapter) => {
  const { app, peer } = await start(t, adapter, {})
  const clients = Array.from({ length: 12 }, async (_, n) => {
    const response = await open(app.port, n % 2 === 0 ? '/x.php' : '/x.php?chunked')
    if (n % 4 === 3) {
      response.once('data', () => response.destroy())
      await within('the end', new Promise((resolve) => response.once('close', resolve)))
      return undefined
    }
    return n % 4 === 0 ? hashOf(response) : slowly(response)
  })
  for (const [n, hash] of (await Promise.all(clients)).entries())
    if (n % 4 !== 3) t.same(hash, HASH, `client ${n}`)
  await until('the connections of those who left are closed', () => peer.open <= 9)
  t.same(await hashOf(await open(app.port, '/x.php')), HASH)
})

eachAdapter(
  t,
  'two in a pipeline, the second begun before it may be written',
  async (t, adapter) => {
    const { app } = await start(t, adapter, {})
    const socket = await rawConnect(app.port)
    const request = (close: string) => `GET /x.php HTTP/1.1\r\nHost: h\r\n${close}\r\n`
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.write(request('') + request('Connection: close\r\n'))
    await within('the end', once(socket, 'close'))
    const all = Buffer.concat(chunks)
    const first = all.indexOf('\r\n\r\n') + 4
    t.ok(all.subarray(first, first + SIZE).equals(BODY), 'the first')
    const second = all.indexOf('\r\n\r\n', first + SIZE) + 4
    t.ok(all.subarray(second).equals(BODY), 'the second')
  },
)

eachAdapter(t, 'a client that does not read does not fill the memory', async (t, adapter) => {
  const { app } = await start(t, adapter, {})
  let taken: IncomingMessage['socket'] | undefined
  app.server.once('connection', (socket) => {
    taken = socket
  })
  const response = await open(app.port, '/x.php')
  response.pause()
  await until('a backlog', () => (taken?.writableLength ?? 0) > 0)
  await delay(200)
  // The socket takes its high-water mark, which is 64 KiB since Node.js 22, and what goes beyond it, one chunk.
  const most = getDefaultHighWaterMark(false) + 65_536
  t.ok((taken?.writableLength ?? 0) <= most, `${taken?.writableLength} bytes wait`)
  t.same(await hashOf(response), HASH, 'and gets all of it later')
})

type Write = (chunk: Buffer, encoding?: unknown, callback?: () => void) => boolean

/** Middleware that keeps what is written, and passes it on later and without a callback. */
function lateWriter(res: ServerResponse): void {
  const write = res.write.bind(res) as Write
  const end = res.end.bind(res)
  const kept: Buffer[] = []
  res.write = ((chunk: Buffer, encoding?: unknown, callback?: () => void) => {
    kept.push(chunk)
    const done = typeof encoding === 'function' ? (encoding as () => void) : callback
    if (done !== undefined) setImmediate(done)
    return true
  }) as typeof res.write
  res.end = ((chunk?: Buffer) => {
    if (chunk !== undefined) kept.push(chunk)
    setTimeout(() => {
      for (const each of kept) write(each)
      end()
    }, 20)
    return res
  }) as typeof res.end
}

t.test('middleware that keeps what is written', async (t) => {
  const { app } = await start(t, 'express', {
    express: (app) =>
      app.use((_req, res, next) => {
        lateWriter(res)
        next()
      }),
  })
  t.same(await hashOf(await open(app.port, '/x.php')), HASH)
})

t.test('a hook that listens to the body, and one that puts another in its place', async (t) => {
  const seen: Buffer[] = []
  const { app } = await start(t, 'fastify', {
    fastify: (app) => {
      app.addHook('onSend', (request, _reply, payload, done) => {
        const body = payload as Readable
        if (request.url.endsWith('replace'))
          done(
            null,
            Readable.from(body).map((chunk: Buffer) => chunk),
          )
        else
          done(
            null,
            body.on('data', (chunk: Buffer) => seen.push(chunk)),
          )
      })
    },
  })
  t.same(await hashOf(await open(app.port, '/x.php')), HASH)
  t.ok(Buffer.concat(seen).equals(BODY), 'what the hook has kept')
  const replaced = await open(app.port, '/x.php?replace')
  t.same(await hashOf(replaced), HASH)
})

const MD5 = createHash('md5').update(BODY).digest('hex')

async function upload({ app }: Behind): Promise<string> {
  const question = { method: 'POST', headers: { 'content-length': SIZE }, body: BODY }
  return String((await ask(app.port, '/x.php', question)).body)
}

eachAdapter(t, 'uploads, and one that somebody else reads as well', async (t, adapter) => {
  const around = await start(t, adapter, {})
  const all = await Promise.all([1, 2, 3, 4].map(() => upload(around)))
  t.same(all, [MD5, MD5, MD5, MD5])
  let copy: Promise<Buffer> | undefined
  around.app.server.prependListener('request', (req: IncomingMessage) => {
    // Once somebody reads, so that the body is not gone before the application is asked for.
    req.once('resume', () => {
      const chunks: Buffer[] = []
      req.on('data', (chunk) => chunks.push(chunk))
      copy = buffer(Readable.from(ended(req, chunks)))
    })
  })
  t.equal(await upload(around), MD5)
  t.ok((await copy)?.equals(BODY), 'what the other one has kept')
})

async function* ended(req: IncomingMessage, chunks: Buffer[]): AsyncGenerator<Buffer> {
  await until('the end of the body', () => req.complete && req.readableEnded)
  yield* chunks
}
