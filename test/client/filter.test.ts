/** The filter role: STDIN whole, then DATA whole (FastCGI 1.0 §6.4), for scripted applications and for libfcgi. */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import {
  Balancer,
  type FilterData,
  OptionError,
  type PoolOptions,
  RequestBodyError,
} from '@fastcgi/client'
import { Role } from '@fastcgi/protocol'
import t from 'tap'
import { findPerlFcgi, startPerlFcgi } from '../helpers/libfcgi.ts'
import { allClosed, peerAndPool, poolOf, send, sent } from '../helpers/outcome.ts'
import { needs } from '../helpers/require-program.ts'
import {
  eachRequest,
  endRecord,
  type PeerRequest,
  response,
  type Script,
} from '../helpers/scripted-peer.ts'
import { until } from '../helpers/wait.ts'

const CHANGED = new Date('2020-02-02T02:02:02.900Z')

function data(content: string | Buffer, more: Partial<FilterData> = {}): FilterData {
  const stream = Readable.from([Buffer.from(content)])
  return { stream, length: Buffer.byteLength(content), lastModified: CHANGED, ...more }
}

function digest(content: string | Buffer): string {
  return createHash('sha1').update(content).digest('hex')
}

/** Says what it got. */
const telling: Script = eachRequest(async (request, connection) => {
  const stdin = await request.stdin()
  if (request.streams.data.length > 0 && !request.stdinEnded) throw new Error('DATA before STDIN')
  const content = await request.data()
  connection.write(response(`${digest(stdin)} ${digest(content)}`), endRecord())
})

t.test('STDIN, then DATA, whatever their sizes and kinds', async (t) => {
  const { pool, peer } = await peerAndPool(t, telling)
  const large = randomBytes(3_000_000)
  const bodies = {
    none: [null, ''],
    short: ['stdin', 'stdin'],
    large: [large, large],
    stream: [() => Readable.from([Buffer.from('a'), Buffer.from('b')]), 'ab'],
  } as const
  for (const [name, [body, whole]] of Object.entries(bodies))
    for (const content of [Buffer.from(''), Buffer.from('data'), large]) {
      const outcome = await sent(t, pool, {
        role: 'filter',
        body: typeof body === 'function' ? body() : body,
        data: data(content),
      })
      t.equal(outcome.error, undefined)
      t.equal(outcome.body.toString(), `${digest(whole)} ${digest(content)}`, name)
    }
  const [request] = peer.requests
  t.equal(request?.role, Role.FILTER)
  t.strictSame(
    { ...request?.params },
    { N: '1', FCGI_DATA_LAST_MOD: '1580608922', FCGI_DATA_LENGTH: '0' },
  )
})

t.test('a connection that carried a filter is kept', async (t) => {
  const { pool, peer } = await peerAndPool(t, telling, { maxAge: 0, reuse: 'always' })
  for (let n = 0; n < 3; n++) {
    const outcome = await sent(t, pool, { role: 'filter', body: 'x', data: data('y') })
    t.equal(outcome.body.toString(), `${digest('x')} ${digest('y')}`)
  }
  t.equal(peer.connections.length, 1)
})

t.test('a filter that answers without reading DATA', async (t) => {
  const answering: Script = eachRequest(async (request, connection) => {
    await request.stdin()
    connection.stall()
    connection.write(response('not needed'), endRecord())
  })
  const { pool, peer } = await peerAndPool(t, answering)
  const stream = new Readable({
    read() {
      this.push(Buffer.alloc(65_536))
    },
  })
  const endless = data('', { stream, length: 2 ** 40 })
  const outcome = await sent(t, pool, { role: 'filter', data: endless })
  t.equal(outcome.error, undefined)
  t.equal(outcome.body.toString(), 'not needed')
  t.equal(pool.stats.connections, 0, 'of what it has not read nobody knows how much that is')
  peer.connections[0]?.unstall()
  await allClosed(peer)
  t.notOk(stream.destroyed)
  t.equal(stream.listenerCount('data'), 0)
})

t.test('END_REQUEST before DATA has ended: the connection is not used again', async (t) => {
  const answering: Script = eachRequest(async (request, connection) => {
    await request.stdin()
    connection.write(response('not needed'), endRecord())
  })
  const { pool, peer } = await peerAndPool(t, answering, { maxAge: 0, reuse: 'always' })
  const stream = new PassThrough()
  const outcome = await sent(t, pool, { role: 'filter', data: data('', { stream, length: 5 }) })
  t.equal(outcome.body.toString(), 'not needed')
  t.equal(pool.stats.connections, 0)
  await allClosed(peer)
})

t.test('before STDIN is complete, DATA is not touched', async (t) => {
  const { pool, peer } = await peerAndPool(t, telling)
  const body = new PassThrough()
  body.write('begin')
  const filtered = data('data')
  const outcome = send(t, pool, { role: 'filter', body, data: filtered })
  await until('the begin of STDIN', () => peer.requests[0]?.stdinLength === 5)
  t.notOk(filtered.stream.readableDidRead)
  body.end()
  t.equal((await outcome.done).error, undefined)
})

t.test('DATA that is not what it should be never passes for the whole', async (t) => {
  const broken = (): Readable =>
    Readable.from(
      (function* () {
        yield Buffer.from('1234')
        throw new Error('disk on fire')
      })(),
    )
  const make = {
    short: [data('1234', { length: 5 }), /the data ended after 4 of 5 bytes/],
    long: [data('123456', { length: 5 }), /the data has over the 5 bytes/],
    breaks: [data('', { stream: broken(), length: 5 }), /the data ended after 4 of 5 bytes/],
  } as const
  for (const [name, [wrong, message]] of Object.entries(make))
    t.test(name, async (t) => {
      const { pool, peer } = await peerAndPool(t, telling)
      const outcome = await sent(t, pool, { role: 'filter', data: wrong, idempotent: true })
      t.ok(outcome.error instanceof RequestBodyError, String(outcome.error))
      t.match(outcome.error, { code: 'FCGI_BODY_TRUNCATED', message })
      await allClosed(peer)
      t.equal(pool.stats.connections, 0)
      t.equal(peer.requests.length, 1, 'not tried again')
      t.ok(peer.requests.every(({ streams }) => !streams.data.ended))
    })
})

t.test('a file that cannot be opened fails the request and nothing else', async (t) => {
  const { pool, peer } = await peerAndPool(t, telling)
  const body = new PassThrough()
  const stream = createReadStream(join(t.testdir(), 'missing'))
  const outcome = send(t, pool, { role: 'filter', body, data: data('', { stream, length: 5 }) })
  await until('the file not being there', () => stream.destroyed)
  body.end()
  const { error } = await outcome.done
  t.match(error, { code: 'FCGI_BODY_CONSUMED', cause: { code: 'ENOENT' } })
  await allClosed(peer)
  t.ok(peer.requests.every(({ streams }) => !streams.data.ended))
})

t.test('requests that cannot be', async (t) => {
  const { pool, peer } = await peerAndPool(t, telling)
  const wrong = [
    [{ role: 'filter' }, /role filter needs data/],
    [{ role: 'responder', data: data('') }, /role responder has no data/],
    [{ data: data('') }, /role responder has no data/],
    [{ role: 'filtre' as 'filter' }, /responder, authorizer, filter; got filtre/],
    [{ role: 'filter', data: data('', { length: -1 }) }, /data.length/],
    [{ role: 'filter', data: data('', { length: 1.5 }) }, /data.length/],
    [{ role: 'filter', data: data('', { lastModified: new Date(Number.NaN) }) }, /lastModified/],
    [{ role: 'filter', data: data('', { stream: 'x' as unknown as Readable }) }, /data.stream/],
    [{ role: 'filter', data: data(''), params: { FCGI_DATA_LENGTH: '9' } }, /FCGI_DATA_LENGTH/],
  ] as const
  for (const [request, message] of wrong) {
    const { error } = await sent(t, pool, request)
    t.ok(error instanceof OptionError)
    t.match(error?.message, message)
  }
  t.equal(peer.connections.length, 0)
})

t.test('the next member takes over while nothing of the streams was read', async (t) => {
  const overloaded = eachRequest((_request, connection) => {
    connection.write(endRecord(0, 2))
  })
  const seen: PeerRequest[] = []
  const working = eachRequest(async (request, connection) => {
    seen.push(request)
    connection.write(response(`${await request.data()}`), endRecord())
  })
  const [full, free] = [await peerAndPool(t, overloaded), await peerAndPool(t, working)]
  const balancer = new Balancer({
    members: [{ address: full.peer.address }, { address: free.peer.address, role: 'spare' }],
  })
  t.teardown(() => balancer.destroy())
  const body = new PassThrough()
  const outcome = send(t, balancer, { role: 'filter', body, data: data('the data') })
  await until('the first member', () => full.peer.requests.length === 1)
  await until('the other member', () => seen.length === 1)
  body.end()
  t.equal((await outcome.done).body.toString(), 'the data')
})

const PERL = needs('libfcgi-perl', findPerlFcgi())

t.test('a filter of libfcgi', PERL, async (t) => {
  const file = join(t.testdir(), 'file')
  writeFileSync(file, randomBytes(300_000))
  const application = await startPerlFcgi(`
    read STDIN, my $stdin, 100;
    $request->StartFilterData();
    my ($length, $piece) = (0);
    while ($ENV{READ} && (my $more = read STDIN, $piece, 8192)) { $length += $more }
    print "Content-Type: text/plain\\r\\n\\r\\n";
    print join ' ', $ENV{FCGI_ROLE}, $stdin, $length, $ENV{FCGI_DATA_LENGTH}, $ENV{FCGI_DATA_LAST_MOD};`)
  t.teardown(() => application.stop())
  const pool = poolOf(t, application.address, { reuse: 'always' } satisfies PoolOptions)
  // `mtime` has milliseconds; `mtimeMs` has a fraction of them, and could be of the second before.
  const changed = Math.floor(statSync(file).mtime.getTime() / 1000)
  for (const read of ['1', '', '1']) {
    const { size, mtime } = statSync(file)
    const outcome = await sent(t, pool, {
      role: 'filter',
      params: { READ: read, CONTENT_LENGTH: '5' },
      body: 'stdin',
      data: { stream: createReadStream(file), length: size, lastModified: mtime },
    })
    t.equal(outcome.error, undefined)
    const length = read === '' ? 0 : 300_000
    t.equal(outcome.body.toString(), `FILTER stdin ${length} 300000 ${changed}`)
  }
})
