/** The ring buffer between the threads: here both ends are in one. */
import { randomBytes } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { OutputRing } from './internals.ts'

async function contentOf(ring: InstanceType<typeof OutputRing>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const { bytes } of ring.chunks()) chunks.push(bytes)
  return Buffer.concat(chunks)
}

t.test('small writes arrive together, at the end or a moment later', async (t) => {
  const ring = new OutputRing()
  for (const text of ['a', 'b', 'c']) ring.write(Buffer.from(text))
  const chunks = ring.chunks()
  const { value } = await chunks.next()
  t.same(value, { bytes: Buffer.from('abc'), last: false })
  ring.write(Buffer.from('d'))
  ring.close()
  t.same((await chunks.next()).value, { bytes: Buffer.from('d'), last: true })
  t.ok((await chunks.next()).done)
})

t.test('several responses, one after the other', async (t) => {
  const ring = new OutputRing()
  for (let n = 0; n < 20; n++) {
    ring.reset()
    const expected = randomBytes(n * 6000)
    ring.write(expected)
    ring.close()
    t.ok((await contentOf(ring)).equals(expected), `${expected.length} bytes`)
  }
})

t.test('an aborted response ends, and takes no more', async (t) => {
  const ring = new OutputRing()
  const content = contentOf(ring)
  ring.abort()
  ring.write(randomBytes(1_000_000))
  t.equal((await content).length, 0)
})

t.test('a writer that is faster than the reader waits, in another thread', async (t) => {
  const ring = new OutputRing()
  const program = new URL('../../dist/output-ring.js', import.meta.url).href
  const worker = new Worker(
    `const { workerData } = require('node:worker_threads')
    import('${program}').then(({ OutputRing }) => {
      const ring = new OutputRing(workerData)
      for (let n = 0; n < 5000; n++) ring.write(Buffer.alloc(1 + (n * 37) % 400, n))
      ring.close()
    })`,
    { eval: true, workerData: ring.buffer },
  )
  t.teardown(() => worker.terminate())
  const expected = Buffer.concat(
    Array.from({ length: 5000 }, (_, n) => Buffer.alloc(1 + ((n * 37) % 400), n)),
  )
  t.ok((await contentOf(ring)).equals(expected), `${expected.length} bytes`)
})
