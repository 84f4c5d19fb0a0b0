/** FCGI_GET_VALUES (FastCGI 1.0 §4.1), and what `multiplex: 'auto'` makes of the answer. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FastCGIClient, OptionError, type PoolOptions } from '@fastcgi/client'
import { encodeNameValues, RecordType } from '@fastcgi/protocol'
import t, { type Test } from 'tap'
import { findPhpFpm, startPhpFpm } from '#php'
import { Held, isAnswered, named } from '../helpers/held-requests.ts'
import { findPerlFcgi, startPerlFcgi } from '../helpers/libfcgi.ts'
import { allClosed, type Outcome, peerAndPool, poolOf, sent } from '../helpers/outcome.ts'
import { needs } from '../helpers/require-program.ts'
import { type PeerOptions, record, type Script } from '../helpers/scripted-peer.ts'
import { until, within } from '../helpers/wait.ts'

const MULTIPLEXES = { FCGI_MAX_CONNS: '8', FCGI_MAX_REQS: '64', FCGI_MPXS_CONNS: '1' }
const quiet: Script = () => {}

t.test('what the application says', async (t) => {
  for (const listen of ['unix', 'tcp'] as const) {
    const { pool, peer } = await peerAndPool(t, quiet, { listen, values: MULTIPLEXES })
    t.strictSame({ ...(await pool.getValues()) }, MULTIPLEXES)
    const names = ['FCGI_MAX_REQS', 'X_OTHER']
    t.strictSame({ ...(await pool.getValues({ names })) }, { FCGI_MAX_REQS: '64' })
    await allClosed(peer)
    t.equal(peer.connections.length, 2, 'each time on a connection of its own')

    const client = new FastCGIClient(peer.address)
    t.strictSame({ ...(await client.getValues()) }, MULTIPLEXES)
    await client.close()
    await allClosed(peer)
  }
})

t.test('answers in pieces, and answers that are none', async (t) => {
  const block = encodeNameValues(Object.entries(MULTIPLEXES))
  const result = record(RecordType.GET_VALUES_RESULT, block, { id: 0, padding: 3 })
  const answers: Array<[name: string, answer: Script, expected: object]> = [
    ['byte by byte', (c) => c.writeSlowly([...result].map((byte) => Buffer.from([byte]))), {}],
    ['UNKNOWN_TYPE', (c) => void c.write(record(11, Buffer.alloc(8), { id: 0 })), {}],
    ['END_REQUEST', (c) => void c.end(), { code: 'FCGI_PROTOCOL' }],
    ['STDOUT', (c) => void c.stdout('x'), { code: 'FCGI_PROTOCOL' }],
    ['no FastCGI', (c) => void c.write('HTTP/1.1 400 Bad'), { code: 'FCGI_PROTOCOL' }],
    [
      'a block cut short',
      (c) => void c.write(record(10, block.subarray(0, 9), { id: 0 })),
      { code: 'FCGI_PROTOCOL' },
    ],
    ['the end', (c) => c.finish(), { code: 'FCGI_PREMATURE_CLOSE' }],
    ['nothing', () => {}, { code: 'FCGI_TIMEOUT', message: /within 200 ms \(option timeout\)/ }],
  ]
  for (const [name, answer, expected] of answers)
    t.test(name, async (t) => {
      const { pool, peer } = await peerAndPool(t, answer)
      const timeout = name === 'nothing' ? 200 : undefined
      const outcome = await pool.getValues({ timeout }).catch((error: unknown) => error)
      if (name === 'byte by byte') t.strictSame({ ...(outcome as object) }, MULTIPLEXES)
      else t.match(outcome, expected)
      await allClosed(peer)
    })
})

t.test('no application, a closed pool, several applications, wrong options', async (t) => {
  const { pool, peer } = await peerAndPool(t, quiet)
  await t.rejects(pool.getValues({ timeout: -1 }), OptionError)
  await t.rejects(pool.getValues({ names: 'x' as unknown as string[] }), OptionError)
  const unanswered = pool.getValues({ timeout: 0 })
  const destroyed = t.rejects(unanswered, { code: 'FCGI_CLOSED' })
  await until('the question', () => peer.asked === 1)
  await pool.destroy()
  await destroyed
  await t.rejects(pool.getValues(), { code: 'FCGI_CLOSED' })
  await peer.close()
  await t.rejects(poolOf(t, peer.address).getValues(), { code: 'FCGI_CONNECT' })
  const client = new FastCGIClient([peer.address])
  await t.rejects(client.getValues(), OptionError)
  await client.close()
})

/** A pool with `multiplex: 'auto'` after a first request. */
async function auto(t: Test, options: PoolOptions & PeerOptions) {
  const held = new Held()
  const lasting: PoolOptions = {
    multiplex: 'auto',
    maxAge: 0,
    idleTimeout: 0,
    fairness: 60_000,
  }
  const context = await peerAndPool(t, held.script, { ...lasting, ...options })
  const [first] = named(t, context.pool, 'first') as [Outcome]
  await held.answer('first')
  isAnswered(t, await first.done, 'first')
  await until('the question', () => context.peer.asked === 1)
  await until('its end', () => context.peer.open === 1)
  return { ...context, held }
}

/** How many connections three requests at a time take. */
async function connectionsOfThree(t: Test, { pool, held }: Awaited<ReturnType<typeof auto>>) {
  const outcomes = named(t, pool, 'a', 'b', 'c')
  const indexes = new Set<number>()
  for (const name of ['a', 'b', 'c']) indexes.add((await held.get(name)).connection.index)
  for (const name of ['a', 'b', 'c']) await held.answer(name)
  for (const [n, name] of ['a', 'b', 'c'].entries())
    isAnswered(t, (await outcomes[n]?.done) as Outcome, name)
  return indexes.size
}

t.test('auto: an application that can multiplex, asked once', async (t) => {
  const context = await auto(t, { values: MULTIPLEXES })
  t.equal(await connectionsOfThree(t, context), 1)
  t.equal(context.pool.stats.limit, 8, 'FCGI_MAX_CONNS')
  context.held.requests.clear()
  t.equal(await connectionsOfThree(t, context), 1)
  t.equal(context.peer.asked, 1)
})

t.test('auto: one that cannot, knows nothing of it, or talks nonsense', async (t) => {
  const answers = [
    { FCGI_MAX_CONNS: '2', FCGI_MAX_REQS: '2', FCGI_MPXS_CONNS: '0' },
    {},
    { FCGI_MPXS_CONNS: 'yes' },
  ]
  for (const values of answers) {
    const context = await auto(t, { values })
    t.equal(await connectionsOfThree(t, context), 3)
    t.equal(context.peer.asked, 1)
  }
})

t.test('auto: FCGI_MAX_REQS is kept to, on all connections together', async (t) => {
  const values = { FCGI_MAX_REQS: '2', FCGI_MPXS_CONNS: '1' }
  const { pool, held, peer } = await auto(t, { values, maxConnections: 8 })
  const names = ['a', 'b', 'c', 'd']
  const outcomes = named(t, pool, ...names)
  await held.get('b')
  t.match(pool.stats, { active: 2, queued: 2 })
  for (const name of names) await held.answer(name)
  for (const [n, name] of names.entries()) isAnswered(t, (await outcomes[n]?.done) as Outcome, name)
  t.equal(peer.connections.length, 2, 'the question had the other one')
})

t.test('auto: requests do not wait for an answer that never comes', async (t) => {
  const held = new Held()
  const { pool, peer } = await peerAndPool(t, held.script, { multiplex: 'auto' })
  const outcomes = named(t, pool, 'a', 'b')
  for (const name of ['a', 'b']) await held.answer(name)
  for (const [n, name] of ['a', 'b'].entries())
    isAnswered(t, (await outcomes[n]?.done) as Outcome, name)
  t.equal(peer.asked, 1)
  await within('the end, the question included', pool.destroy())
})

t.test('auto: asked again where nobody was there to be asked', async (t) => {
  const values = { FCGI_MPXS_CONNS: '1' }
  const first = await peerAndPool(t, quiet, { listen: 'tcp' })
  await first.peer.close()
  const held = new Held()
  const port = Number(first.peer.address.split(':').at(-1))
  const pool = poolOf(t, first.peer.address, { multiplex: 'auto', maxAge: 0 })
  t.match((await sent(t, pool)).error, { code: 'FCGI_CONNECT' })
  const { peer } = await peerAndPool(t, held.script, { port, values })
  const [again] = named(t, pool, 'again') as [Outcome]
  await held.answer('again')
  isAnswered(t, await again.done, 'again')
  await until('the question', () => peer.asked === 1)
})

const FPM = needs('php-fpm', findPhpFpm())

t.test('php-fpm: asked, it says no, and is used as ever', FPM, async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const file = join(root, 'n.php')
  writeFileSync(file, "<?php usleep(1000); echo $_SERVER['N'];")
  const fpm = await startPhpFpm({ children: 2 })
  t.teardown(() => fpm.stop())
  const pool = poolOf(t, fpm.address, { multiplex: 'auto' })
  t.equal((await pool.getValues()).FCGI_MPXS_CONNS, '0')
  const params = { SCRIPT_FILENAME: file, REQUEST_METHOD: 'GET' }
  const ask = async (n: number): Promise<void> =>
    isAnswered(t, await sent(t, pool, { params: { ...params, N: n }, idempotent: true }), `${n}`)
  for (let round = 0; round < 5; round++)
    await Promise.all(Array.from({ length: 20 }, (_, n) => ask(n)))
  t.equal(pool.stats.failed, 0)
})

const PERL = needs('libfcgi-perl', findPerlFcgi())

t.test('libfcgi: asked, it says no, and is used as ever', PERL, async (t) => {
  const application = await startPerlFcgi(
    'select undef, undef, undef, 0.001; print "Content-Type: text/plain\\r\\n\\r\\n$ENV{N}";',
  )
  t.teardown(() => application.stop())
  const pool = poolOf(t, application.address, { multiplex: 'auto' })
  const expected = { FCGI_MAX_CONNS: '1', FCGI_MAX_REQS: '1', FCGI_MPXS_CONNS: '0' }
  t.strictSame({ ...(await pool.getValues()) }, expected)
  for (let round = 0; round < 3; round++)
    await Promise.all(
      Array.from({ length: 20 }, async (_, n) =>
        isAnswered(t, await sent(t, pool, { params: { N: n }, idempotent: true }), `${n}`),
      ),
    )
  t.equal(pool.stats.failed, 0)
})
