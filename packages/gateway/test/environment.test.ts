/** The environment of a request (RFC 3875 §4.1): every name, once, and where each value comes from. */
import t from 'tap'
import { ask, head, serve, site, stubbed } from './harness.ts'

t.test('a plain GET, every name of it', async (t) => {
  const root = site(t, 'a.php')
  const { params, upstream } = stubbed({ root })
  const got = await params('/a.php?x=1&y', { headers: { 'user-agent': 'curl/8' } })
  t.strictSame(got, {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_SOFTWARE: 'fastcgi-node',
    REDIRECT_STATUS: '200',
    SCRIPT_FILENAME: `${root}/a.php`,
    SCRIPT_NAME: '/a.php',
    DOCUMENT_ROOT: root,
    DOCUMENT_URI: '/a.php',
    REQUEST_METHOD: 'GET',
    REQUEST_URI: '/a.php?x=1&y',
    QUERY_STRING: 'x=1&y',
    SERVER_PROTOCOL: 'HTTP/1.1',
    REQUEST_SCHEME: 'http',
    REMOTE_ADDR: '192.0.2.7',
    REMOTE_HOST: '192.0.2.7',
    REMOTE_PORT: '50123',
    SERVER_NAME: 'www.example',
    SERVER_ADDR: '198.51.100.1',
    SERVER_PORT: '8080',
    HTTP_USER_AGENT: 'curl/8',
    HTTP_HOST: 'www.example',
  })
  t.equal(upstream.only.pairs.length, Object.keys(got).length, 'every name once')
  t.equal(upstream.only.request.body, null)
})

t.test('PATH_INFO and a mount point', async (t) => {
  const root = site(t, 'a.php')
  const { params } = stubbed({ root })
  t.match(await params('/shop/a.php/x%20y/z?q', { mount: '/shop' }), {
    SCRIPT_NAME: '/shop/a.php',
    SCRIPT_FILENAME: `${root}/a.php`,
    PATH_INFO: '/x y/z',
    PATH_TRANSLATED: `${root}/x y/z`,
    DOCUMENT_URI: '/shop/a.php/x y/z',
    REQUEST_URI: '/shop/a.php/x%20y/z?q',
  })
})

t.test('a POST has CONTENT_LENGTH and CONTENT_TYPE, and neither as HTTP_', async (t) => {
  const { raw, upstream } = await serve(t)
  const fields = ['Content-Length: 3', 'Content-Type: text/plain; charset=x']
  await raw(`${head('POST /x.php HTTP/1.1', ...fields)}a=b`)
  const { params, body, request } = upstream.only
  t.match(params, {
    REQUEST_METHOD: 'POST',
    CONTENT_LENGTH: '3',
    CONTENT_TYPE: 'text/plain; charset=x',
  })
  t.notOk('HTTP_CONTENT_LENGTH' in params || 'HTTP_CONTENT_TYPE' in params)
  t.equal(body.toString(), 'a=b')
  t.equal(request.bodyLength, 3)
})

t.test('HTTPS, from the socket and from a trusted proxy', async (t) => {
  const { params } = stubbed({ backendType: 'generic' })
  const https = { scheme: 'https', host: 'www.example' }
  t.match(await params('/', { client: https, socket: { encrypted: true, localPort: 8443 } }), {
    HTTPS: 'on',
    REQUEST_SCHEME: 'https',
    SERVER_PORT: '8443',
  })
  t.match(await params('/', { client: https }), { HTTPS: 'on', SERVER_PORT: '443' })
  t.match(await params('/', { client: { ...https, host: 'www.example:444' } }), {
    SERVER_NAME: 'www.example',
    SERVER_PORT: '444',
  })
  const plain = await params('/')
  t.notOk('HTTPS' in plain, 'not sent at all, for applications only look whether it is there')
})

t.test('HTTP/1.0 without Host', async (t) => {
  const { raw, upstream, port } = await serve(t)
  await raw('GET /x.php HTTP/1.0\r\n\r\n')
  const { params } = upstream.only
  t.match(params, {
    SERVER_PROTOCOL: 'HTTP/1.0',
    SERVER_NAME: '127.0.0.1',
    SERVER_ADDR: '127.0.0.1',
    SERVER_PORT: String(port),
    REMOTE_ADDR: '127.0.0.1',
  })
  t.notOk('HTTP_HOST' in params)
})

t.test('hosts', async (t) => {
  const { params } = stubbed({ backendType: 'generic' })
  const of = async (host: string, url = '/') => {
    const { HTTP_HOST, SERVER_NAME, SERVER_PORT } = await params(url, { headers: { host } })
    return [HTTP_HOST, SERVER_NAME, SERVER_PORT]
  }
  t.strictSame(
    await of('a.example:8000'),
    ['a.example:8000', 'a.example', '8080'],
    'port of the socket',
  )
  t.strictSame(await of('[2001:db8::1]:81'), ['[2001:db8::1]:81', '[2001:db8::1]', '8080'])
  t.strictSame(await of('a/../b'), ['a/../b', '198.51.100.1', '8080'], 'no name: the address')
  t.strictSame(await of('a b'), ['a b', '198.51.100.1', '8080'])
  t.strictSame(await of('<script>'), ['<script>', '198.51.100.1', '8080'])
  t.equal((await of('a.example', 'http://b.example/'))[0], 'b.example', 'RFC 9112 §3.2.2')
  const named = stubbed({ backendType: 'generic', serverName: 'my.example' })
  t.match(await named.params('/', { headers: { host: 'evil.example' } }), {
    SERVER_NAME: 'my.example',
    HTTP_HOST: 'evil.example',
  })
})

t.test('the host of an absolute-form target is SERVER_NAME, too', async (t) => {
  const { raw, upstream } = await serve(t)
  await raw(head('GET http://b.example:81/x.php HTTP/1.1'))
  t.match(upstream.only.params, { HTTP_HOST: 'b.example:81', SERVER_NAME: 'b.example' })
})

t.test('addresses', async (t) => {
  const { params } = stubbed({ backendType: 'generic' })
  const of = async (client: object, socket: object) => {
    const { REMOTE_ADDR, REMOTE_PORT, SERVER_ADDR } = await params('/', {
      client,
      socket: { ...socket },
    })
    return [REMOTE_ADDR, REMOTE_PORT, SERVER_ADDR]
  }
  const mapped = { remoteAddress: '::ffff:192.0.2.7', localAddress: '::ffff:127.0.0.1' }
  t.strictSame(await of({}, mapped), ['192.0.2.7', '50123', '127.0.0.1'])
  t.strictSame(await of({ address: '::ffff:192.0.2.7' }, mapped), [
    '192.0.2.7',
    '50123',
    '127.0.0.1',
  ])
  t.strictSame(await of({ address: '203.0.113.9' }, {}), ['203.0.113.9', undefined, '198.51.100.1'])
  t.strictSame(await of({}, { remoteAddress: '2001:db8::2' }), [
    '2001:db8::2',
    '50123',
    '198.51.100.1',
  ])
  const unix = {
    remoteAddress: undefined,
    remotePort: undefined,
    localAddress: undefined,
    localPort: undefined,
  }
  t.strictSame(
    await of({}, unix),
    ['unix:', undefined, ''],
    'not 127.0.0.1, which is often trusted',
  )
})

t.test('configured values win, and null takes away', async (t) => {
  const { params, upstream } = stubbed({
    backendType: 'generic',
    env: {
      APP_ENV: 'prod',
      NUMBER: 7,
      EMPTY: '',
      SERVER_SOFTWARE: 'mine',
      REDIRECT_STATUS: null,
      REMOTE_ADDR: null,
      SERVER_NAME: 'gr\u00fcn',
      HTTP_X_AUTH: 'ours',
      HTTP_ACCEPT: null,
      GATEWAY_INTERFACE: undefined,
      QUERY_STRING: undefined,
    },
  })
  const got = await params('/?q', { headers: { 'x-auth': 'theirs', accept: '*/*' } })
  t.match(got, {
    APP_ENV: 'prod',
    NUMBER: '7',
    EMPTY: '',
    SERVER_SOFTWARE: 'mine',
    SERVER_NAME: 'gr\u00c3\u00bcn',
    HTTP_X_AUTH: 'ours',
    GATEWAY_INTERFACE: 'CGI/1.1',
    QUERY_STRING: 'q',
  })
  for (const name of ['REDIRECT_STATUS', 'REMOTE_ADDR', 'HTTP_ACCEPT']) t.notOk(name in got, name)
  t.equal(upstream.only.pairs.length, Object.keys(got).length, 'every name once')
})

t.test('a function gets the source and wins', async (t) => {
  const { params, upstream } = stubbed({
    backendType: 'generic',
    env: ((request: { user: string }) => ({
      REMOTE_USER: request.user,
      HTTP_X_AUTH: 'ours',
      SERVER_SOFTWARE: null,
      DOCUMENT_URI: '/mine',
      GATEWAY_INTERFACE: undefined,
      CONTENT_TYPE: 'x/y',
    })) as never,
  })
  const source = { user: 'j\u00fcrgen' }
  const got = await params('/', { source, headers: { 'x-auth': 'theirs', 'content-type': 'a/b' } })
  t.match(got, {
    REMOTE_USER: 'j\u00c3\u00bcrgen',
    HTTP_X_AUTH: 'ours',
    DOCUMENT_URI: '/mine',
    CONTENT_TYPE: 'x/y',
    GATEWAY_INTERFACE: 'CGI/1.1',
  })
  t.notOk('SERVER_SOFTWARE' in got)
  t.equal(upstream.only.pairs.length, Object.keys(got).length, 'every name once')
})

t.test('params of one request win over both', async (t) => {
  const root = site(t, 'a.php')
  const fixed = stubbed({ root, env: { A: 'option', B: 'option', C: 'option' } })
  const got = await fixed.params('/a.php', { env: { A: 'request', B: null, C: undefined } })
  t.match(got, { A: 'request', C: 'option' })
  t.notOk('B' in got)
  t.equal(fixed.upstream.only.pairs.length, Object.keys(got).length, 'every name once')
  const asked = stubbed({ root, env: () => ({ A: 'function', B: 'function' }) })
  t.match(await asked.params('/a.php', { env: { A: 'request' } }), { A: 'request', B: 'function' })
})

t.test('an env function that throws', async (t) => {
  const { gateway, log } = stubbed({
    backendType: 'generic',
    env: () => {
      throw new Error('no such user /etc/passwd')
    },
  })
  const { status, error } = await ask(gateway, '/')
  t.strictSame(
    [status, error?.code, error?.message],
    [500, 'FCGI_HANDLER', 'Internal Server Error'],
  )
  t.match(log, [/^error .*no such user/])
})

t.test('what is fixed is encoded once', async (t) => {
  let reads = 0
  const env = {
    get ONCE() {
      reads++
      return 'x'
    },
  }
  const { params } = stubbed({ backendType: 'generic', env })
  const before = reads
  for (let n = 0; n < 3; n++) t.equal((await params('/')).ONCE, 'x')
  t.equal(reads, before)
})

t.test('params over their cap', async (t) => {
  const { gateway, params, upstream, log } = stubbed({
    backendType: 'generic',
    maxParamsSize: 1024,
  })
  const { error, status } = await ask(gateway, '/', { headers: { 'x-long': 'x'.repeat(1024) } })
  t.strictSame([status, error?.code, error?.expose], [431, 'FCGI_PARAMS_TOO_LARGE', true])
  t.match(error?.message, /over 1024 bytes.*maxParamsSize.*HTTP_X_LONG/)
  t.match(log, [/^info refused/])
  t.equal(upstream.seen.length, 0)
  t.ok(await params('/'), 'what is below it goes through')
  const record = stubbed({ backendType: 'generic', maxParamsSize: 1_000_000 })
  const long = await ask(record.gateway, '/', { headers: { 'x-long': 'x'.repeat(65_536) } })
  t.equal(long.status, 431, 'a pair that fits no record')
})
