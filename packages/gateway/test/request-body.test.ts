/** Request bodies: the application gets all of it with its length, or nothing that looks complete. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { head, serve, site } from './harness.ts'

const POST = 'POST /x.php HTTP/1.1'

function chunked(...pieces: Array<Buffer | string>): Buffer {
  const parts = pieces.flatMap((piece) => {
    const bytes = Buffer.from(piece)
    return [Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]
  })
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}

function statusOf(answer: string): string {
  return answer.slice(9, 12)
}

t.test('no body, and an empty one', async (t) => {
  const { raw, upstream } = await serve(t)
  await raw(head('GET /x.php HTTP/1.1'))
  await raw(head(POST, 'Content-Length: 0'))
  await raw(head(POST))
  const lengths = upstream.seen.map(({ params, request }) => [params.CONTENT_LENGTH, request.body])
  t.strictSame(lengths, [
    [undefined, null],
    ['0', null],
    [undefined, null],
  ])
})

t.test('a known length is streamed, whatever the method', async (t) => {
  const { raw, upstream } = await serve(t)
  const body = randomBytes(300_000)
  for (const method of ['POST', 'PUT', 'GET', 'DELETE', 'PROPFIND']) {
    const answer = await raw(
      head(`${method} /x.php HTTP/1.1`, `Content-Length: ${body.length}`),
      body,
    )
    t.equal(statusOf(answer), '200')
    const seen = upstream.seen.at(-1)
    t.equal(seen?.params.CONTENT_LENGTH, '300000')
    t.equal(seen?.request.bodyLength, 300_000)
    t.ok(seen?.body.equals(body), method)
  }
})

t.test('an unknown length is spooled', async (t) => {
  const spoolDirectory = site(t)
  const { raw, upstream } = await serve(t, { spoolMemory: 1000, spoolDirectory })
  const fields = ['Transfer-Encoding: chunked']
  const sizes = [0, 1, 999, 1000, 1001, 700_000]
  for (const size of sizes) {
    const body = randomBytes(size)
    const pieces = size === 0 ? [] : [body.subarray(0, size >> 1), body.subarray(size >> 1)]
    const answer = await raw(head(POST, ...fields), chunked(...pieces.filter((p) => p.length > 0)))
    t.equal(statusOf(answer), '200')
    const seen = upstream.seen.at(-1)
    t.equal(seen?.params.CONTENT_LENGTH, String(size))
    t.equal(seen?.request.bodyLength, size)
    t.ok(seen?.body.equals(body), `${size} bytes`)
    t.equal(Buffer.isBuffer(seen?.request.body), size <= 1000, 'in memory up to spoolMemory')
    t.notOk('HTTP_TRANSFER_ENCODING' in (seen?.params ?? {}))
  }
  t.strictSame(readdirSync(spoolDirectory), [], 'nothing is left of the files')
})

t.test('a directory that cannot be spooled to', async (t) => {
  const options = { spoolMemory: 10, spoolDirectory: '/nowhere/at/all' }
  const { raw, log } = await serve(t, options)
  const answer = await raw(head(POST, 'Transfer-Encoding: chunked'), chunked('x'.repeat(100)))
  t.equal(statusOf(answer), '500')
  t.notMatch(answer, /nowhere/)
  t.match(log, [/^error .*ENOENT/])
})

t.test('unknownLength: reject and stream', async (t) => {
  const reject = await serve(t, { unknownLength: 'reject' })
  const answer = await reject.raw(head(POST, 'Transfer-Encoding: chunked'), chunked('abc'))
  t.equal(statusOf(answer), '411')
  t.match(answer, /unknownLength/)
  t.equal(reject.upstream.seen.length, 0)
  t.equal(statusOf(await reject.raw(head(POST, 'Content-Length: 1'), 'x')), '200')

  const stream = await serve(t, { unknownLength: 'stream' })
  await stream.raw(head(POST, 'Transfer-Encoding: chunked'), chunked('abc', 'def'))
  const { params, body, request } = stream.upstream.only
  t.notOk('CONTENT_LENGTH' in params)
  t.equal(request.bodyLength, undefined)
  t.equal(body.toString(), 'abcdef')
})

async function tooLarge(t: Test, answer: string, log: string[]): Promise<void> {
  t.equal(statusOf(answer), '413')
  t.match(answer, /connection: close/i)
  t.match(answer, /maxBodySize/)
  t.match(log, [/^info refused: request body/])
}

t.test('maxBodySize of a known length: refused before a byte is read', async (t) => {
  const { raw, upstream, log } = await serve(t, { maxBodySize: 10 })
  t.equal(statusOf(await raw(head(POST, 'Content-Length: 10'), '0123456789')), '200')
  await tooLarge(t, await raw(head(POST, 'Content-Length: 11')), log)
  t.equal(upstream.seen.length, 1)
})

t.test('maxBodySize of an unknown length: refused as soon as it is over', async (t) => {
  const { raw, upstream, log } = await serve(t, { maxBodySize: 10 })
  const fields = ['Transfer-Encoding: chunked']
  t.equal(statusOf(await raw(head(POST, ...fields), chunked('01234', '56789'))), '200')
  // Without its end: the answer does not wait for it.
  await tooLarge(t, await raw(head(POST, ...fields), '6\r\n012345\r\n6\r\n678901\r\n'), log)
  t.equal(upstream.seen.length, 1)
})

t.test('a client that is too slow, while its body is spooled', async (t) => {
  const { raw, upstream, log } = await serve(t, { timeouts: { body: 30 } })
  const answer = await raw(head(POST, 'Transfer-Encoding: chunked'), '3\r\nabc\r\n')
  t.equal(statusOf(answer), '408')
  t.match(answer, /timeouts\.body/)
  t.equal(upstream.seen.length, 0)
  t.match(log, [/^info refused/])
})

t.test('an upload that is broken off while it is spooled', async (t) => {
  const spoolDirectory = site(t)
  const { port, upstream, log } = await serve(t, { spoolMemory: 10, spoolDirectory })
  const socket = connect(port, '127.0.0.1')
  socket.write(`${head(POST, 'Transfer-Encoding: chunked')}14\r\n${'x'.repeat(20)}\r\n`)
  await once(socket, 'connect')
  socket.destroy()
  const end = performance.now() + 5000 * Number(process.env.FCGI_TEST_SLOWNESS ?? 1)
  while (log.length === 0 && performance.now() < end) await new Promise((r) => setTimeout(r, 5))
  t.match(log, [/^info refused: the client went away in the middle of its request body/])
  t.equal(upstream.seen.length, 0, 'no part of it reaches the application')
  t.strictSame(readdirSync(spoolDirectory), [])
})

t.test('a refused body is not taken for a request', async (t) => {
  const { raw, upstream } = await serve(t, { maxBodySize: 5 })
  const hidden = 'GET /x.php?hidden HTTP/1.1\r\nHost: h\r\n\r\n'
  const answer = await raw(
    `POST /x.php HTTP/1.1\r\nHost: h\r\nContent-Length: ${hidden.length}\r\n\r\n`,
    hidden,
    head('GET /x.php?next HTTP/1.1'),
  )
  t.equal(statusOf(answer), '413')
  const queries = upstream.seen.map(({ params }) => params.QUERY_STRING)
  t.notOk(queries.includes('hidden'), 'answered by closing, or by skipping it')
})
