/** Requests that are given up: `onError` once, with an AbortedError, and the application sees the socket close. */
import { PassThrough } from 'node:stream'
import { AbortedError, FastCGIClient } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { allClosed, type Hooks, type Outcome, peerAndPool, send, sent } from '../helpers/outcome.ts'
import {
  eachRequest,
  endRecord,
  response,
  type Script,
  stdoutRecords,
  wellBehaved,
} from '../helpers/scripted-peer.ts'
import { turns, until } from '../helpers/wait.ts'

const silent: Script = eachRequest(() => {})

function isAborted(t: Test, { error }: Outcome, reason: unknown): void {
  t.ok(error instanceof AbortedError, String(error))
  t.match(error, { code: 'FCGI_ABORTED' })
  t.equal(error?.cause, reason)
}

const reason = new Error('changed my mind')

t.test('before dispatch: nothing is sent', async (t) => {
  const { pool, peer } = await peerAndPool(t, silent)
  const outcome = send(t, pool, { signal: AbortSignal.abort(reason) })
  t.notOk(outcome.ended, 'not during dispatch')
  isAborted(t, await outcome.done, reason)
  t.strictSame([outcome.attempts.length, peer.connections.length], [0, 0])
  t.match(pool.stats, { requests: 1, failed: 1, connections: 0 })
})

t.test('while connecting', async (t) => {
  const { pool, peer } = await peerAndPool(t, silent)
  const controller = new AbortController()
  const outcome = send(t, pool, { signal: controller.signal })
  controller.abort(reason)
  isAborted(t, await outcome.done, reason)
  t.equal(pool.stats.connections, 0)
  await allClosed(peer)
  t.equal(peer.requests.length, 0)
})

t.test('in the queue: its place is free, and the others do not notice', async (t) => {
  const script = wellBehaved((request) => request.params.N ?? '')
  const { pool, peer } = await peerAndPool(t, script, { maxConnections: 1, maxQueue: 2 })
  const controller = new AbortController()
  const first = send(t, pool, { params: { N: 1 } })
  const second = send(t, pool, { params: { N: 2 }, signal: controller.signal })
  const third = send(t, pool, { params: { N: 3 } })
  t.equal(pool.stats.queued, 2)
  controller.abort(reason)
  t.equal(pool.stats.queued, 1)
  const fourth = send(t, pool, { params: { N: 4 } })
  isAborted(t, await second.done, reason)
  const bodies = await Promise.all([first, third, fourth].map(({ done }) => done))
  t.strictSame(
    bodies.map(({ body }) => body.toString()),
    ['1', '3', '4'],
  )
  t.equal(second.attempts.length, 0)
  t.equal(peer.requests.length, 3)
})

t.test('while uploading: the application never sees the end of STDIN', async (t) => {
  const { pool, peer } = await peerAndPool(t, silent)
  const controller = new AbortController()
  const body = new PassThrough()
  body.write('some')
  const outcome = send(t, pool, { body, signal: controller.signal })
  await until('some STDIN', () => peer.requests[0]?.stdinLength === 4)
  controller.abort(reason)
  body.end('more')
  isAborted(t, await outcome.done, reason)
  await allClosed(peer)
  t.notOk(peer.requests[0]?.stdinEnded)
  t.notOk(body.destroyed, 'the stream is left to whoever made it')
})

t.test('while the head is awaited', async (t) => {
  const { pool, peer } = await peerAndPool(t, silent)
  const outcome = send(t, pool, { idempotent: true })
  await until('the request', () => peer.requests.length === 1)
  outcome.control.abort(reason)
  t.ok(outcome.ended, 'at once')
  isAborted(t, await outcome.done, reason)
  await allClosed(peer)
  t.equal(peer.requests.length, 1, 'not tried again')
})

t.test('in the body', async (t) => {
  const script = eachRequest((_request, connection) => void connection.write(response('part')))
  const { pool, peer } = await peerAndPool(t, script)
  const controller = new AbortController()
  const outcome = send(t, pool, { signal: controller.signal })
  await until('a part of the body', () => outcome.body.toString() === 'part')
  controller.abort(reason)
  isAborted(t, await outcome.done, reason)
  await allClosed(peer)
})

t.test('in the body while paused', async (t) => {
  const script = eachRequest(
    (_request, connection) => void connection.write(response(Buffer.alloc(2_000_000))),
  )
  const { pool, peer } = await peerAndPool(t, script)
  const outcome = send(t, pool, {}, { onData: () => false })
  await until('a piece of the body', () => outcome.chunks.length > 0)
  outcome.control.abort(reason)
  outcome.control.resume()
  isAborted(t, await outcome.done, reason)
  await allClosed(peer)
})

t.test('from inside the handler, with the rest of the response at hand', async (t) => {
  const whole = Buffer.concat([response('one'), stdoutRecords('two'), endRecord()])
  const script = eachRequest((_request, connection) => void connection.write(whole))
  const { pool, peer } = await peerAndPool(t, script)
  const abort = ({ control }: Outcome) => control.abort(reason)
  const hooks: Hooks[] = [
    { onStart: (outcome) => setImmediate(() => abort(outcome)) },
    { onHead: abort },
    {
      onData(_chunk, outcome) {
        abort(outcome)
        return true
      },
    },
  ]
  for (const hook of hooks) isAborted(t, await sent(t, pool, {}, hook), reason)
  await allClosed(peer)
  t.match(pool.stats, { connections: 0, requests: 3, failed: 3 }, 'each counted once')
})

t.test('from onStart: nothing is sent', async (t) => {
  const { pool, peer } = await peerAndPool(t, wellBehaved())
  t.equal((await sent(t, pool)).status, 200, 'so that there is an idle connection')
  const controller = new AbortController()
  const outcome = send(
    t,
    pool,
    { signal: controller.signal },
    { onStart: () => controller.abort(reason) },
  )
  isAborted(t, await outcome.done, reason)
  await allClosed(peer)
  t.equal(peer.requests.length, 1)
})

t.test('after the end it means nothing', async (t) => {
  const { pool } = await peerAndPool(t, wellBehaved())
  const controller = new AbortController()
  const outcome = await sent(t, pool, { signal: controller.signal })
  controller.abort(reason)
  outcome.control.abort(reason)
  outcome.control.resume()
  await turns(3)
  t.equal(outcome.error, undefined)
  t.match(pool.stats, { idle: 1, failed: 0 })
  t.equal((await sent(t, pool)).status, 200, 'the connection belongs to others now')
})

t.test('one signal for many requests keeps no listener of those that ended', async (t) => {
  const { pool } = await peerAndPool(t, wellBehaved())
  const controller = new AbortController()
  let listeners = 0
  const { signal } = controller
  const { addEventListener, removeEventListener } = signal
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++
    addEventListener.apply(signal, args)
  }
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--
    removeEventListener.apply(signal, args)
  }
  for (let n = 0; n < 20; n++) await sent(t, pool, { signal })
  t.equal(listeners, 0)
})

t.test('the comfortable path', async (t) => {
  const script = eachRequest((request, connection) => {
    if (request.params.SILENT) return
    connection.write(response(Buffer.alloc(500_000, 'x')))
  })
  const { peer } = await peerAndPool(t, script)
  const client = new FastCGIClient(peer.address)
  t.teardown(() => client.destroy())

  t.test('the promise rejects while there is no head', async (t) => {
    const controller = new AbortController()
    const promise = client.request({ params: { SILENT: 1 }, signal: controller.signal })
    await until('the request', () => peer.requests.length === 1)
    controller.abort(reason)
    await t.rejects(promise, { code: 'FCGI_ABORTED', cause: reason })
    await allClosed(peer)
  })
  t.test('the body errors afterwards', async (t) => {
    const controller = new AbortController()
    const { body } = await client.request({ params: {}, signal: controller.signal })
    controller.abort(reason)
    await t.rejects(
      async () => {
        for await (const _chunk of body);
      },
      { code: 'FCGI_ABORTED' },
    )
    await allClosed(peer)
  })
  t.test('destroying the body closes the connection', async () => {
    const { body } = await client.request({ params: {} })
    body.destroy()
    await allClosed(peer)
  })
  t.test('leaving the loop over the body does, too', async () => {
    const { body } = await client.request({ params: {} })
    for await (const _chunk of body) break
    await allClosed(peer)
  })
})
