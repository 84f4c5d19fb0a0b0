/** Several requests on one connection: none gets what is another's, and none keeps the others waiting. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { FastCGIRequest } from '@fastcgi/application'
import {
  encodeAbortRequest,
  encodeNameValues,
  encodeRecord,
  encodeRequestHead,
  RecordType,
  Role,
} from '@fastcgi/protocol'
import t from 'tap'
import { Random } from '../helpers/random.ts'
import { until, within } from '../helpers/wait.ts'
import { connectTo, parse, startServer } from '../helpers/web-server.ts'

const POST = { REQUEST_METHOD: 'POST' }

t.test('a long response leaves room for short ones', async (t) => {
  const length = 50_000_000
  const { port } = await startServer(t, (req, res) => {
    if (req.url === '/long') res.end(Buffer.alloc(length))
    else res.end('short')
  })
  const web = await connectTo(t, port)
  let received = 0
  web.onStdout(1, (piece) => {
    received += piece.length
  })
  const long = web.ask({ id: 1, params: { REQUEST_URI: '/long' } })
  await web.until('its beginning', () => received > 0)
  for (let id = 2; id < 12; id++) {
    const short = web.ask({ id })
    await within('the short answer', short.done)
    t.equal(parse(short).body, 'short')
  }
  t.ok(received < length, `${received} of ${length} bytes when all ten short ones were there`)
  await within('the long answer', long.done)
  t.ok(received > length)
})

t.test('two long responses take turns', async (t) => {
  const { port } = await startServer(t, (_req, res) => res.end(Buffer.alloc(5_000_000)))
  const web = await connectTo(t, port)
  const both = [web.ask({ id: 1 }), web.ask({ id: 2 })]
  await Promise.all(both.map(({ done }) => within('both', done)))
  const totals = { 1: 0, 2: 0 }
  let apart = 0
  for (const { id, length } of web.order) {
    totals[id as 1 | 2] += length
    apart = Math.max(apart, totals[2] - totals[1])
  }
  t.ok(apart < 500_000, `the second is never more than ${apart} bytes ahead`)
  const half = web.order.slice(0, web.order.length / 2).filter(({ id }) => id === 2).length
  t.ok(half > 10, `${half} records of the second are in the first half`)
})

t.test('a connection that nobody reads does not stop the others', async (t) => {
  const { port } = await startServer(t, (req, res) => {
    if (req.url === '/long') res.end(Buffer.alloc(50_000_000))
    else res.end('short')
  })
  const slow = await connectTo(t, port)
  slow.socket.pause()
  slow.ask({ params: { REQUEST_URI: '/long' } })
  const web = await connectTo(t, port)
  for (let n = 0; n < 20; n++) t.equal((await web.get()).body, 'short')
})

t.test('a body that nobody reads does not stop the others, up to 1 MiB of it', async (t) => {
  let unread: FastCGIRequest | undefined
  const { port } = await startServer(t, (req, res) => {
    if (req.url === '/unread') unread = req
    else req.pipe(res)
  })
  const web = await connectTo(t, port)
  const length = 900_000
  const params = { ...POST, REQUEST_URI: '/unread', CONTENT_LENGTH: String(length * 3) }
  web.ask({ id: 2, params: { ...POST, CONTENT_LENGTH: '4' }, body: undefined })
  web.ask({ id: 1, params, body: undefined })
  web.stdin(Buffer.alloc(length), 1)
  web.stdin('body', 2, true)
  const other = web.answer(2)
  await within('the other', other.done)
  t.equal(parse(other).body, 'body')
  web.stdin(Buffer.alloc(length * 2), 1)
  await until(
    'it to be full',
    () => (unread?.readableLength ?? 0) >= 1_048_576 || unread?.readableLength === length,
  )
  const ended = once(unread as FastCGIRequest, 'end')
  let sum = 0
  unread?.on('data', (piece) => {
    sum += piece.length
  })
  await within('the rest', ended)
  t.equal(sum, length * 3)
})

const RUNS = 10_000
const MOST = 64

t.test(`${RUNS} random interleavings of up to ${MOST} requests`, async (t) => {
  const seed = Number(process.env.FCGI_TEST_SEED ?? Date.now() % 1_000_000)
  t.comment(`seed ${seed} (FCGI_TEST_SEED)`)
  const random = new Random(seed)
  const below = (limit: number): number => random.between(0, limit - 1)
  let open = 0
  // Over 64 requests at a time: if any leaked, the next ones would be refused.
  const { port } = await startServer(t, (req, res) => answer(req, res), { maxRequests: MOST })
  function answer(req: FastCGIRequest, res: ServerResponse): void {
    open++
    res.on('close', () => open--)
    req.on('error', () => {})
    const hash = createHash('sha1')
    req.on('data', (piece) => {
      hash.update(piece)
      res.write(piece)
    })
    req.on('end', () => res.end(`${req.url} ${hash.digest('hex')}`))
  }
  const web = await connectTo(t, port)
  let requests = 0
  let aborts = 0
  const wrong: string[] = []
  for (let run = 0; run < RUNS && wrong.length === 0; run++) {
    const count = 1 + below(below(20) === 0 ? MOST : 5)
    const plans = Array.from({ length: count }, (_, n) => plan(n + 1, `/${run}/${n}`))
    requests += count
    const bytes = Buffer.concat(interleave(plans.map(({ records }) => records)))
    for (const { id } of plans) web.forget(id)
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + below(below(3) === 0 ? 40 : 20_000)
      web.socket.write(bytes.subarray(at, end))
      at = end
    }
    await within('all answers', Promise.all(plans.map(({ id }) => web.answer(id).done)))
    for (const { id, expected, aborted } of plans) {
      const got = web.answer(id)
      const { body, end } = parse(got)
      const fits = aborted ? expected.startsWith(body) : body === expected
      if (aborted) aborts++
      if (!fits || end?.protocolStatus !== 0)
        wrong.push(
          `run ${run}, id ${id}: ${body.length} of ${expected.length} bytes, ${JSON.stringify(end)}`,
        )
    }
  }
  t.strictSame(wrong, [], `seed ${seed}`)
  await until('all to be closed', () => open === 0)
  t.comment(`${requests} requests, ${aborts} aborted`)

  function plan(id: number, url: string) {
    const body = Buffer.alloc(below(below(20) === 0 ? 50_000 : 2000), url)
    const aborted = below(10) === 0
    const head = encodeRequestHead({
      requestId: id,
      role: Role.RESPONDER,
      keepConnection: true,
      params: encodeNameValues([
        ['REQUEST_METHOD', 'POST'],
        ['REQUEST_URI', url],
        ['CONTENT_LENGTH', String(body.length)],
      ]),
      endStdin: false,
    })
    const records = [head]
    for (let at = 0; at < body.length; ) {
      const end = Math.min(body.length, at + 1 + below(3000))
      records.push(encodeRecord(RecordType.STDIN, id, body.subarray(at, end)))
      at = end
    }
    records.push(encodeRecord(RecordType.STDIN, id))
    // Anywhere behind the head, also when the answer has been sent.
    if (aborted) records.splice(1 + below(records.length), 0, encodeAbortRequest(id))
    const expected = `${body}${url} ${createHash('sha1').update(body).digest('hex')}`
    return { id, records, expected, aborted }
  }

  function interleave(queues: Buffer[][]): Buffer[] {
    const all: Buffer[] = []
    const left = queues.map((queue) => [...queue])
    while (left.length > 0) {
      const at = below(left.length)
      const next = left[at]?.shift()
      if (next === undefined) left.splice(at, 1)
      else all.push(next)
    }
    return all
  }
})
