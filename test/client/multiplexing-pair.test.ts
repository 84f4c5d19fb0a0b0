/** Our client and our application on the same few connections: whatever is interleaved, each gets what is its own. */
import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { FastCGIRequest } from '@fastcgi/application'
import { Pool } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { Random } from '../helpers/random.ts'
import { until, within } from '../helpers/wait.ts'
import { startServer } from '../helpers/web-server.ts'

const RUNS = 10_000
const MOST = 64

/** Passes bytes on in pieces that nobody has chosen, both ways. */
async function chopper(t: Test, port: number, below: (n: number) => number): Promise<string> {
  const chop = (from: Socket, to: Socket): void => {
    from.on('data', (chunk) => {
      for (let at = 0; at < chunk.length; ) {
        const end = at + 1 + below(below(3) === 0 ? 40 : 20_000)
        to.write(chunk.subarray(at, end))
        at = end
      }
    })
    from.on('error', () => {})
    from.once('close', () => to.destroy())
  }
  const server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port, noDelay: true })
    near.setNoDelay(true)
    chop(near, far)
    chop(far, near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test(`${RUNS} random batches of up to ${MOST} requests`, async (t) => {
  const seed = Number(process.env.FCGI_TEST_SEED ?? Date.now() % 1_000_000)
  t.comment(`seed ${seed} (FCGI_TEST_SEED)`)
  const random = new Random(seed)
  const below = (limit: number): number => random.between(0, limit - 1)
  let open = 0
  const echo = (req: FastCGIRequest, res: ServerResponse): void => {
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
  // If one id were lost, the next ones would be refused.
  const { port } = await startServer(t, echo, { maxRequests: MOST })
  const pool = new Pool(await chopper(t, port, below), {
    reuse: 'always',
    multiplex: true,
    maxConnections: 2,
    maxMultiplexed: MOST / 2,
    maxAge: 0,
  })
  t.teardown(() => pool.destroy())
  let requests = 0
  let aborts = 0
  const wrong: string[] = []

  /** One request; says what was wrong with it. */
  async function one(url: string): Promise<void> {
    requests++
    const body = Buffer.alloc(below(below(20) === 0 ? 50_000 : 2000), url)
    const streamed = below(2) === 0
    const abort = new AbortController()
    const aborted = below(10) === 0
    if (aborted) setTimeout(() => abort.abort(), below(3))
    try {
      const response = await pool.request({
        params: { REQUEST_METHOD: 'POST', REQUEST_URI: url, CONTENT_LENGTH: body.length },
        body: streamed ? Readable.from(pieces(body)) : body,
        bodyLength: body.length,
        signal: abort.signal,
      })
      const text = await response.text()
      const expected = `${body}${url} ${createHash('sha1').update(body).digest('hex')}`
      if (text !== expected) wrong.push(`${url}: ${text.length} of ${expected.length} bytes`)
    } catch (error) {
      if (aborted) aborts++
      else wrong.push(`${url}: ${error}`)
    }
  }

  function* pieces(body: Buffer): Generator<Buffer> {
    for (let at = 0; at < body.length; ) {
      const end = at + 1 + below(3000)
      yield body.subarray(at, end)
      at = end
    }
  }

  for (let run = 0; run < RUNS && wrong.length === 0; run++) {
    const count = 1 + below(below(20) === 0 ? MOST : 5)
    const all = Array.from({ length: count }, (_, n) => one(`/${run}/${n}`))
    await within(`all answers of batch ${run}, seed ${seed}`, Promise.all(all))
  }
  t.strictSame(wrong, [], `seed ${seed}`)
  t.comment(`${requests} requests, ${aborts} given up`)
  await until('all to be closed', () => open === 0)
  const { active, queued, connections } = pool.stats
  t.strictSame({ active, queued }, { active: 0, queued: 0 })
  t.ok(connections <= 2)
})
