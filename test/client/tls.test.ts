/** Encrypted upstreams: fcgis:// through a TLS terminator to php-fpm, and to an application that speaks TLS itself. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { createServer } from '@fastcgi/application'
import { Balancer, FastCGIClient, type PoolOptions } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { findPhpFpm, startPhpFpm } from '#php'
import { Authority, NEEDS_OPENSSL } from '../helpers/certificates.ts'
import { poolOf, sent } from '../helpers/outcome.ts'
import { startProgram } from '../helpers/programs.ts'
import { needs } from '../helpers/require-program.ts'
import { endRecord, response } from '../helpers/scripted-peer.ts'
import { NEEDS_STUNNEL, stunnel } from '../helpers/stunnel.ts'
import { tlsApplication } from '../helpers/tls-application.ts'
import { until } from '../helpers/wait.ts'

const NEEDS_FPM = needs('php-fpm', findPhpFpm())
const NEEDS = { skip: NEEDS_OPENSSL.skip || NEEDS_STUNNEL.skip || NEEDS_FPM.skip }

const root = mkdtempSync(join(tmpdir(), 'fcgi-php-'))
t.teardown(() => rmSync(root, { recursive: true, force: true }))

const authority = NEEDS_OPENSSL.skip ? undefined : new Authority(t)
const ca = authority?.ca ?? ''
const server = authority?.sign('server')

function script(name: string, source: string): Record<string, string> {
  const file = join(root, `${name}.php`)
  writeFileSync(file, source)
  return { REQUEST_METHOD: 'GET', SCRIPT_NAME: `/${name}.php`, SCRIPT_FILENAME: file }
}

/** php-fpm behind stunnel. Returns the port of that. */
async function encryptedPhp(t: Test, more: readonly string[] = []): Promise<number> {
  const fpm = await startPhpFpm({ children: 2, ini: { output_buffering: 0 } })
  t.teardown(() => fpm.stop())
  if (authority === undefined || server === undefined) throw new Error('no openssl')
  return stunnel(t, authority, server, fpm.address, more)
}

/** Answers the first data of a connection and closes it with the rest unread. A process of its own, so that it runs beside. */
const CLOSING_PEER = `
const { readFileSync } = require('node:fs')
const [cert, key, answer] = process.argv.slice(1)
const options = { cert: readFileSync(cert), key: readFileSync(key) }
const server = require('node:tls').createServer(options, (socket) => {
  socket.on('error', () => {}).once('data', () => {
    socket.pause()
    socket.write(Buffer.from(answer, 'hex'))
    setTimeout(() => socket.destroy(), 20)
  })
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))`

/** Blocks this process while the peer closes, so that a write fails before the answer has been read. */
async function* lateChunks(): AsyncGenerator<Buffer> {
  yield Buffer.alloc(3_000_000)
  const end = performance.now() + 150
  while (performance.now() < end);
  for (let n = 0; n < 30; n++) yield Buffer.alloc(100_000)
}

const get = { params: { REQUEST_METHOD: 'GET', REQUEST_URI: '/a' }, idempotent: true }

t.test('php-fpm behind stunnel', NEEDS, async (t) => {
  const port = await encryptedPhp(t)
  const client = new FastCGIClient(`fcgis://localhost:${port}`, { tls: { ca } })
  t.teardown(() => client.destroy())
  const params = script('pid', '<?php echo getmypid();')

  await t.test('requests one after the other, and many at a time', async (t) => {
    const pids = new Set<string>()
    for (let n = 0; n < 5; n++) pids.add(await (await client.request({ params })).text())
    t.ok(pids.size <= 2, 'the workers of php-fpm')
    const all = await Promise.all(Array.from({ length: 30 }, () => client.request({ params })))
    for (const response of all) pids.add(await response.text())
    t.ok(pids.size <= 2)
  })

  await t.test('large bodies in both directions', async (t) => {
    const body = Buffer.alloc(3_000_000, 'x')
    const echo = script(
      'echo',
      '<?php echo md5(file_get_contents("php://input")), str_repeat("y", 5000000);',
    )
    const response = await client.request({
      params: { ...echo, REQUEST_METHOD: 'POST', CONTENT_LENGTH: String(body.length) },
      body,
    })
    const text = await response.text()
    t.equal(text.length, 32 + 5_000_000)
    t.match(text, /^[0-9a-f]{32}y+$/)
  })

  await t.test('after-work is measured through the terminator', async (t) => {
    const params = script('after', '<?php echo "done"; fastcgi_finish_request(); usleep(300000);')
    const pool = poolOf(t, `fcgis://127.0.0.1:${port}`, { tls: { ca } })
    // A measurement does not count when this process is busy at its end.
    for (let n = 0; n < 20 && pool.stats.afterWork === undefined; n++) {
      await sent(t, pool, { params, idempotent: true })
      await until('the worker to close', () => pool.stats.connections === 0)
    }
    t.equal(pool.stats.afterWork?.[0]?.script, params.SCRIPT_FILENAME)
  })

  await t.test('FCGI_GET_VALUES', async (t) => {
    t.equal((await client.getValues()).FCGI_MPXS_CONNS, '0')
  })
})

t.test('an application that speaks TLS itself', NEEDS_OPENSSL, async (t) => {
  const { cert = '', key = '' } = server ?? {}
  const port = await tlsApplication(t, { tls: { cert, key } })

  for (const options of [{}, { reuse: false }, { multiplex: true }] as PoolOptions[])
    await t.test(JSON.stringify(options), async (t) => {
      const client = new FastCGIClient(`fcgis://localhost:${port}`, { ...options, tls: { ca } })
      t.teardown(() => client.destroy())
      const all = await Promise.all(Array.from({ length: 20 }, () => client.request(get)))
      for (const response of all) t.equal(await response.text(), 'answer to /a')
      t.equal(await (await client.request(get)).text(), 'answer to /a')
    })

  await t.test('an answer that comes before the body has been sent', async (t) => {
    const strict = await tlsApplication(t, { tls: { cert, key }, maxBodySize: 1000 })
    for (let n = 0; n < 5; n++) {
      const pool = poolOf(t, `fcgis://localhost:${strict}`, { tls: { ca } })
      const body = Buffer.alloc(20_000_000)
      const params = { REQUEST_METHOD: 'POST', REQUEST_URI: '/a', CONTENT_LENGTH: body.length }
      t.equal((await sent(t, pool, { params, body })).status, 413)
    }
  })

  await t.test('an answer of a peer that closes without reading', async (t) => {
    const { certFile = '', keyFile = '' } = server ?? {}
    const answer = Buffer.concat([response('early'), endRecord()]).toString('hex')
    const args = ['-e', CLOSING_PEER, certFile, keyFile, answer]
    const peer = startProgram(t, process.execPath, args)
    await until('its port', () => peer.output().endsWith('\n'))
    const pool = poolOf(t, `fcgis://localhost:${peer.output().trim()}`, { tls: { ca } })
    const outcome = await sent(t, pool, { body: Readable.from(lateChunks()) })
    t.equal(outcome.body.toString(), 'early')
  })

  await t.test('an unencrypted client is not answered', async (t) => {
    const outcome = await sent(t, poolOf(t, `127.0.0.1:${port}`, { retries: 0 }), get)
    t.match(outcome.error, { code: 'FCGI_PREMATURE_CLOSE' })
  })

  await t.test('a handshake that does not end holds nobody up at the end', async (t) => {
    const app = createServer({}, { tls: { cert, key } })
    await new Promise<void>((resolve) => app.listen({ host: '127.0.0.1', port: 0 }, resolve))
    const socket = connect((app.address() as AddressInfo).port, '127.0.0.1').on('error', () => {})
    await new Promise((resolve) => socket.once('connect', resolve))
    await new Promise((resolve) => setImmediate(resolve))
    const closed = new Promise((resolve) => app.close(resolve))
    await closed
    socket.destroy()
    t.pass('closed')
  })
})

t.test('client certificates', NEEDS_OPENSSL, async (t) => {
  const { cert = '', key = '' } = server ?? {}
  const errors: Error[] = []
  const port = await tlsApplication(t, { tls: { cert, key, ca } }, errors)
  const mine = authority?.sign('client')
  const other = new Authority(t).sign('client')
  const address = `fcgis://localhost:${port}`

  const tls = { ca, cert: mine?.cert, key: mine?.key }
  const good = poolOf(t, address, { tls, reuse: false })
  // The second one resumes the session.
  for (let n = 0; n < 3; n++) t.equal((await sent(t, good, get)).body.toString(), 'answer to /a')

  const without = await sent(t, poolOf(t, address, { tls: { ca } }), get)
  t.match(without.error, {
    name: 'ConnectError',
    code: 'FCGI_CONNECT',
    message: `cannot connect to ${address} (option tls): it demands a client certificate (tls.cert, tls.key)`,
  })
  const refused = poolOf(t, address, { tls: { ca, cert: other.cert, key: other.key } })
  // Node looks at the certificate after a handshake that has succeeded, and says nothing.
  t.match((await sent(t, refused, get)).error, {
    code: 'FCGI_PREMATURE_CLOSE',
    message: /refuses this client \(.*its certificate: tls\.cert\)/,
  })
  await until('the server to say it', () => errors.length >= 2)
})

t.test('stunnel demands a client certificate', NEEDS, async (t) => {
  const port = await encryptedPhp(t, [
    `CAfile = ${authority?.own.certFile}`,
    'verifyChain = yes',
    'requireCert = yes',
  ])
  const params = script('ok', '<?php echo "ok";')
  const mine = authority?.sign('client')
  const address = `fcgis://localhost:${port}`
  const tls = { ca, cert: mine?.cert, key: mine?.key }
  const good = poolOf(t, address, { tls, reuse: false })
  for (let n = 0; n < 3; n++) t.equal((await sent(t, good, { params })).body.toString(), 'ok')
  const without = await sent(t, poolOf(t, address, { tls: { ca } }), { params })
  const other = new Authority(t).sign('client')
  const refused = poolOf(t, address, { tls: { ca, cert: other.cert, key: other.key } })
  // stunnel closes at once, so the alert that says why may be lost in a reset.
  for (const { error } of [without, await sent(t, refused, { params })])
    t.match(error?.message, /tls\.cert/)
})

t.test('the next member is asked', NEEDS_OPENSSL, async (t) => {
  const { cert = '', key = '' } = server ?? {}
  const expired = authority?.sign('expired-member', undefined, -1)
  const bad = await tlsApplication(t, {
    tls: { cert: expired?.cert ?? '', key: expired?.key ?? '' },
  })
  const demanding = await tlsApplication(t, { tls: { cert, key, ca } })
  const good = await tlsApplication(t, { tls: { cert, key } })
  const balancer = new Balancer({
    members: [bad, demanding, good].map((port) => `fcgis://localhost:${port}`),
    method: 'first',
    tls: { ca },
  })
  t.teardown(() => balancer.destroy())
  const params = { ...get.params, REQUEST_METHOD: 'POST' }
  const outcome = await sent(t, balancer, { params, body: 'x' })
  t.equal(outcome.body.toString(), 'answer to /a')
})

t.test('members found by DNS', NEEDS_OPENSSL, async (t) => {
  const { cert = '', key = '' } = server ?? {}
  const port = await tlsApplication(t, { tls: { cert, key } })
  const balancer = new Balancer({
    discover: { name: `127.0.0.1:${port}` },
    tls: { ca },
    timeout: 5000,
  })
  t.teardown(() => balancer.destroy())
  t.equal((await sent(t, balancer, get)).body.toString(), 'answer to /a')
  t.same(
    balancer.members.map(({ name }) => name),
    [`fcgis://127.0.0.1:${port}`],
  )
})
