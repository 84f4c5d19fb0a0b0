/** Encrypted upstreams that fail: certificates, peers without TLS, options; and what the messages say. */
import { type AddressInfo, createServer as createNetServer } from 'node:net'
import { createServer as createTLSServer } from 'node:tls'
import { createServer } from '@fastcgi/application'
import { FastCGIClient, type PoolOptions, parseAddress } from '@fastcgi/client'
import t from 'tap'
import { Authority, NEEDS_OPENSSL } from '../helpers/certificates.ts'
import { poolOf, sent } from '../helpers/outcome.ts'
import { tlsApplication } from '../helpers/tls-application.ts'

const authority = NEEDS_OPENSSL.skip ? undefined : new Authority(t)
const ca = authority?.ca ?? ''
const server = authority?.sign('server')
const get = { params: { REQUEST_METHOD: 'GET', REQUEST_URI: '/a' }, idempotent: true }

t.test('TLS 1.2: the server refuses within the handshake', NEEDS_OPENSSL, async (t) => {
  const { cert, key } = server ?? {}
  const peers = [
    createTLSServer({ cert, key, ca, requestCert: true, maxVersion: 'TLSv1.2' }),
    createTLSServer({ cert, key, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' }),
  ]
  const messages = await Promise.all(
    peers.map(async (peer) => {
      await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve))
      t.teardown(() => peer.close())
      const { port } = peer.address() as AddressInfo
      const { error } = await sent(t, poolOf(t, `fcgis://localhost:${port}`, { tls: { ca } }), get)
      t.equal(error?.code, 'FCGI_CONNECT')
      return error?.message
    }),
  )
  t.match(messages, [
    /does it demand a client certificate \(tls\.cert, tls\.key\)\?/,
    /TLS 1\.2 or 1\.3$/,
  ])
})

t.test('certificates that are not accepted', NEEDS_OPENSSL, async (t) => {
  const expired = authority?.sign('expired', undefined, -1)
  const elsewhere = authority?.sign('elsewhere', 'DNS:app.example')
  const { cert = '', key = '' } = server ?? {}
  const tls = (of = { cert, key }) => ({ tls: { cert: of.cert, key: of.key } })
  const cases: Array<[string, number, PoolOptions['tls'], RegExp]> = [
    ['expired', await tlsApplication(t, tls(expired)), { ca }, /its certificate has expired$/],
    [
      'another host',
      await tlsApplication(t, tls(elsewhere)),
      { ca },
      /its certificate is for another host \(tls\.servername\): .*localhost.*app\.example/,
    ],
    [
      'unknown authority',
      await tlsApplication(t, tls()),
      undefined,
      /its certificate is of an authority that is not trusted \(tls\.ca\)$/,
    ],
  ]
  for (const [name, port, tls, message] of cases) {
    const address = `fcgis://localhost:${port}`
    const { error } = await sent(t, poolOf(t, address, { tls }), get)
    t.match(error, { name: 'ConnectError', code: 'FCGI_CONNECT', message }, name)
    t.ok(
      error?.message.startsWith(`cannot connect to ${address} (option tls): `),
      `${name}: its beginning`,
    )
    const pool = poolOf(t, address, { tls: { rejectUnauthorized: false } })
    t.equal((await sent(t, pool, get)).body.toString(), 'answer to /a', 'unless it is said')
    // It is not the session of one pool that lets another one in.
    t.match((await sent(t, poolOf(t, address, { tls }), get)).error, { message }, name)
  }
  const [, port] = cases[1] ?? []
  const named = poolOf(t, `fcgis://localhost:${port}`, { tls: { ca, servername: 'app.example' } })
  t.equal((await sent(t, named, get)).body.toString(), 'answer to /a', 'servername')
})

t.test('a peer that speaks no TLS', async (t) => {
  const fpm = createNetServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end())
  })
  const http = createNetServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  })
  const silent = createNetServer((socket) => {
    socket.on('error', () => {})
    t.teardown(() => socket.destroy())
  })
  for (const peer of [fpm, http, silent]) {
    await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve))
    t.teardown(() => peer.close())
  }
  const ask = async (peer: typeof fpm, options: PoolOptions = {}) => {
    const { port } = peer.address() as AddressInfo
    return (await sent(t, poolOf(t, `fcgis://127.0.0.1:${port}`, options), get)).error
  }
  t.match(await ask(fpm), {
    code: 'FCGI_CONNECT',
    message: /closed the connection during the TLS handshake.*fcgi:\/\//,
  })
  t.match(await ask(http), { code: 'FCGI_CONNECT', message: /it does not speak TLS/ })
  t.match(await ask(silent, { timeouts: { connect: 100 } }), {
    code: 'FCGI_CONNECT_TIMEOUT',
    message: /timeouts\.connect/,
  })
})

t.test('options', NEEDS_OPENSSL, async (t) => {
  const make = (address: string, tls: unknown) => () =>
    new FastCGIClient(address, { tls } as PoolOptions)
  const { cert = '', key = '' } = server ?? {}
  t.throws(make('127.0.0.1:9000', { ca }), /needs an address fcgis:.*127\.0\.0\.1:9000 is none/)
  t.throws(make('fcgis://a:1', { cert }), /tls\.cert and tls\.key: give both/)
  t.throws(make('fcgis://a:1', { ca: '/etc/ca.pem' }), /option tls must be .*content of the file/)
  t.throws(make('fcgis://a:1', { cert, key: authority?.own.key }), /cannot be used: .*mismatch/)
  t.throws(make('fcgis://a:1', { servernam: 'a' }), /did you mean servername/)
  t.throws(() => createServer({}, { tls: { cert, key: '' } }), /both cert and key/)
  t.throws(() => createServer({}, { tls: { cert, key, c: 1 } as never }), /unknown option tls\.c;/)
  t.throws(() => createServer({}, { tls: { cert, key: 'x' } }), /cannot be used/)
  t.equal(key === '', false)
  t.equal(parseAddress('fcgis://A').name, 'fcgis://a:8000')
})
