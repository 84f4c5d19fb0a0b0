/** Kept connections that end: a request is sent again only where the application cannot have begun with it. */
import t from 'tap'
import { peerAndPool, sent } from '../helpers/outcome.ts'
import { endRecord, response, type Script } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { scaled } from '../helpers/time-limit.ts'
import { delay } from '../helpers/wait.ts'

nothingEscapes()

const GET = { params: { REQUEST_METHOD: 'GET' }, idempotent: true }

/** Milliseconds after which a worker has begun, also on a slow machine, where connecting takes long. */
const LATE = scaled(300)

/** Answers the first request of a connection, and dies with the second one, so many milliseconds after it came. */
const diesAfter =
  (milliseconds: number): Script =>
  async (connection) => {
    await connection.request()
    connection.write(response('ok'), endRecord())
    await connection.request()
    await delay(milliseconds)
    connection.destroy()
  }

for (const listen of ['unix', 'tcp'] as const)
  for (const method of ['GET', 'PUT', 'DELETE'])
    t.test(
      `${method} over ${listen}: a worker that dies later has begun; it runs once`,
      async (t) => {
        const { peer, pool } = await peerAndPool(t, diesAfter(LATE), { listen, idleTimeout: 0 })
        const request = { params: { REQUEST_METHOD: method }, body: method === 'PUT' ? 'x' : null }
        t.equal((await sent(t, pool, request)).status, 200)
        const { error, attempts } = await sent(t, pool, request)
        t.match(error, { code: 'FCGI_PREMATURE_CLOSE', begun: true })
        t.strictSame(
          attempts.map(({ reused }) => reused),
          [true],
        )
        t.equal(peer.requests.length, 2)
      },
    )

for (const listen of ['unix', 'tcp'] as const)
  t.test(`over ${listen}: a connection that was closed before is replaced`, async (t) => {
    // As php-fpm at pm.max_requests: closes without a word, and swallows what comes.
    const closes: Script = async (connection) => {
      await connection.request()
      connection.write(response('ok'), endRecord())
      connection.finish()
    }
    const { peer, pool } = await peerAndPool(t, closes, { listen })
    for (let n = 0; n < 50; n++) t.equal((await sent(t, pool, GET)).status, 200)
    t.equal(peer.requests.length, 50)
  })

t.test('also where the event loop is held up after the request was written', async (t) => {
  let close = (): void => {}
  const script: Script = async (connection) => {
    if (connection.index > 0) {
      for (;;) {
        await connection.request()
        connection.write(response('ok'), endRecord())
      }
    }
    await connection.request()
    connection.write(response('ok'), endRecord())
    close = () => connection.destroy()
  }
  const { pool } = await peerAndPool(t, script)
  t.equal((await sent(t, pool, GET)).status, 200)
  const outcome = sent(t, pool, GET)
  close()
  setImmediate(() => {
    // In the turn in which it is written, before sockets are polled.
    for (const until = performance.now() + 100; performance.now() < until; );
  })
  const { status, attempts } = await outcome
  t.equal(status, 200)
  t.strictSame(
    attempts.map(({ reused }) => reused),
    [true, false],
  )
})
