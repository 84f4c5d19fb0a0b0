/** Buffered responses: slow clients do not hold the children of a php-fpm, and still get every byte. */
import { readdirSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import t from 'tap'
import { eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { forkGateway } from '../helpers/php-gateway.ts'
import { ask, hashOf, hashOfBlocks, open } from '../helpers/php-http.ts'
import { NEEDS_FPM, phpFpm, SITE } from '../helpers/php-site.ts'
import { eachRequest, endRecord, startPeer, stdoutRecords } from '../helpers/scripted-peer.ts'
import { delay, until, within } from '../helpers/wait.ts'

const MEGABYTE = 1_048_576
const CLIENTS = 20
/** More than the buffers of the system's sockets take by themselves. */
const SIZE = 8 * MEGABYTE
const HASH = hashOfBlocks(SIZE)
const LONG = 60_000

t.test('20 slow clients of a php-fpm with two children', NEEDS_FPM, async (t) => {
  const { address: upstream } = await phpFpm(t)

  await t.test('without buffering they hold the children', async (t) => {
    const gateway = await forkGateway(t, 'http', { upstream, root: SITE, maxConnections: 2 })
    const slow = [1, 2].map(() => open(gateway.port, `/bytes.php?n=${2 * SIZE}`))
    const responses = await Promise.all(slow)
    for (const response of responses) response.pause()
    const pid = ask(gateway.port, '/pid.php')
    t.equal(await Promise.race([pid, delay(1000)]), undefined, 'nobody is left to answer')
    for (const response of responses) response.resume()
    await within('an answer', pid, LONG)
  })

  await eachAdapter(t, 'with buffering they do not', async (t, adapter) => {
    const options = { upstream, root: SITE, buffering: true, spoolDirectory: t.testdir() }
    const gateway = await forkGateway(t, adapter, options)
    const before = await gateway.memory()
    const slow = Array.from({ length: CLIENTS }, () => open(gateway.port, `/bytes.php?n=${SIZE}`))
    const responses = await within('all heads', Promise.all(slow), LONG)
    const patience = { over: () => {} }
    const hurry = new Promise<void>((resolve) => {
      patience.over = resolve
    })
    const bodies = responses.map((response) => hashOf(slowly(response, hurry)))
    // Behind the last of them, both children are free.
    const answers = [1, 2, 3, 4].map(() => ask(gateway.port, '/pid.php'))
    const pids = await within('answers meanwhile', Promise.all(answers), LONG)
    t.ok(pids.every(({ status }) => status === 200))
    t.same(readdirSync(options.spoolDirectory), [], 'temporary files have no names')
    const { rss } = await gateway.memory()
    // 160 MB are on their way.
    t.ok(rss - before.rss < 64 * MEGABYTE, `${rss - before.rss} bytes more`)
    patience.over()
    for (const hash of bodies) t.same(await within('the whole body', hash, LONG), HASH)
  })
})

/** Takes some 20 KB a second, until it is to hurry. */
async function* slowly(response: IncomingMessage, hurry: Promise<void>): AsyncGenerator<Buffer> {
  for await (const chunk of response) {
    yield chunk
    await Promise.race([delay(chunk.length / 20), hurry])
  }
}

for (const [option, field, buffers] of [
  [true, undefined, true],
  [false, undefined, false],
  [true, 'no', false],
  [undefined, 'yes', true],
  // Names that every object inherits are values like any other.
  [undefined, 'constructor', false],
  [false, '__proto__', false],
  [true, 'toString', true],
] as const)
  t.test(`buffering: ${option}, X-Accel-Buffering: ${field}`, async (t) => {
    const body = Buffer.alloc(2 * SIZE, 'x')
    let sent = false
    const peer = await startPeer(
      eachRequest(async (request, connection) => {
        await request.stdin()
        connection.write(stdoutRecords(`${field ? `X-Accel-Buffering: ${field}\n` : ''}A: b\n\n`))
        connection.socket.write(Buffer.concat([stdoutRecords(body), endRecord()]), () => {
          sent = true
        })
      }),
    )
    t.teardown(() => peer.close())
    const upstream = peer.address
    const { port } = await startAdapter(t, 'http', { upstream, root: SITE, buffering: option })
    const response = await open(port, '/pid.php')
    response.pause()
    if (buffers) await until('all to be taken', () => sent)
    else await delay(500)
    t.equal(sent, buffers)
    t.notOk(response.headers['x-accel-buffering'])
    t.equal((await hashOf(response)).length, body.length)
  })

t.test('a response that breaks off is not made whole by the buffer', async (t) => {
  const peer = await startPeer(
    eachRequest(async (request, connection) => {
      await request.stdin()
      connection.write(stdoutRecords('A: b\n\n'), stdoutRecords(Buffer.alloc(SIZE, 'x')))
      connection.finish()
    }),
  )
  t.teardown(() => peer.close())
  const options = { upstream: peer.address, root: SITE, buffering: true }
  await eachAdapter(t, 'broken off', async (t, adapter) => {
    const { port } = await startAdapter(t, adapter, options)
    const response = await open(port, '/pid.php')
    await t.rejects(hashOf(response))
  })
})
