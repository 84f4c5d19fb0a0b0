/** Request targets in every form: what becomes the path, what stays in REQUEST_URI and QUERY_STRING, what is refused. */
import t, { type Test } from 'tap'
import { ask, site, stubbed } from './harness.ts'

/** Sends every path on as PATH_INFO, so that it can be seen. */
function seer() {
  return stubbed({ backendType: 'generic' })
}

async function paths(t: Test, expected: Record<string, string>): Promise<void> {
  const { params } = seer()
  for (const [url, path] of Object.entries(expected))
    t.equal((await params(url)).PATH_INFO, path, JSON.stringify(url))
}

async function refused(t: Test, ...urls: string[]): Promise<void> {
  const { gateway, upstream } = seer()
  for (const url of urls) {
    const { status, error } = await ask(gateway, url)
    t.equal(status, 400, JSON.stringify(url))
    t.equal(error?.code, 'FCGI_BAD_REQUEST', JSON.stringify(url))
  }
  t.equal(upstream.seen.length, 0, 'nothing of it reaches the application')
}

t.test('origin form', (t) =>
  paths(t, {
    '/': '/',
    '/a': '/a',
    '/a/b.php': '/a/b.php',
    '/a/': '/a/',
    '/a;b=c/d;e': '/a;b=c/d;e',
    '/a+b': '/a+b',
    '/~user/(x)': '/~user/(x)',
    '/a..b/...': '/a..b/...',
    "/!$&'()*,=:@": "/!$&'()*,=:@",
  }),
)

t.test('percent escapes are decoded once, to bytes', (t) =>
  paths(t, {
    '/a%20b': '/a b',
    '/%41': '/A',
    '/a%2fb': '/a/b',
    '/a%2Fb': '/a/b',
    '/%252e%252e/a': '/%2e%2e/a',
    '/%25': '/%',
    '/a%3Fb': '/a?b',
    '/a%23b': '/a#b',
    '/%c3%bc': '/\u00c3\u00bc',
    '/%ff%80': '/\u00ff\u0080',
    '/\u00c3\u00bc': '/\u00c3\u00bc',
    '/%C8%BA.php': '/\u00c8\u00ba.php',
  }),
)

t.test('dot segments are resolved and slashes merged, also encoded ones', (t) =>
  paths(t, {
    '/./a': '/a',
    '/a/./b': '/a/b',
    '/a/../b': '/b',
    '/a/b/../../c': '/c',
    '/a/..': '/',
    '/a/b/..': '/a/',
    '/a/.': '/a/',
    '/a/%2e%2e/b': '/b',
    '/a/%2E./b': '/b',
    '/a/%2e/b': '/a/b',
    '/a%2f..%2fb': '/b',
    '//a': '/a',
    '/a//b///c': '/a/b/c',
    '///': '/',
    '/a%2f%2fb': '/a/b',
  }),
)

t.test('a path that climbs above the root is refused', (t) =>
  refused(t, '/..', '/../a', '/a/../../b', '/%2e%2e/a', '/a/%2e%2e/%2e%2e/b', '/..%2fa', '//../a'),
)

t.test('controls and NUL are refused, also encoded ones', (t) =>
  refused(t, '/a%00b', '/x.jpg%00.php', '/x.php%0a', '/x.php%0d%0a', '/%09', '/%1f', '/%7f'),
)

t.test('a backslash reaches PATH_INFO and front controllers, but names no file', async (t) => {
  await paths(t, { '/a%5cb': '/a\\b', '/a%5Cb': '/a\\b', '/a\\b': '/a\\b', '/..%5ca': '/..\\a' })
  const root = site(t, 'index.php', 'a\\b.php', 'a\\b.txt', 'x.php/y.php')
  for (const checkLocal of [true, false]) {
    const { names } = stubbed({ root, checkLocal })
    const where = checkLocal ? 'looked up' : 'by name'
    t.equal(await names('/index.php/App%5CUser'), '/index.php + /App\\User', where)
    t.equal(await names('/a%5cb.php'), '400', where)
    t.equal(await names('/a%5c..%5cindex.php'), '400', where)
    t.equal(await names('/index.php%5c'), '400', where)
    t.equal(await names('/', { script: '/a%5cb.php' }), '400', where)
  }
  const front = stubbed({ root, frontController: '/index.php', static: true })
  for (const url of ['/App%5CUser/edit', '/a%5cb.txt', '/a%5cb.php', '/%5c', '/a%5c/'])
    t.equal(await front.names(url), '/index.php + ', url)
  t.equal((await front.params('/App%5CUser?x')).REQUEST_URI, '/App%5CUser?x')
  const broken = stubbed({ root, brokenScriptFilename: true })
  t.equal(await broken.names('/index.php/a%5cb'), '400', 'PATH_INFO that names a file')
  const { params } = stubbed({ root })
  t.notOk('PATH_TRANSLATED' in (await params('/index.php/a%5cb')))
  t.ok('PATH_TRANSLATED' in (await params('/index.php/ab')))
})

t.test('characters that are no bytes are refused', (t) =>
  refused(t, '/\u012e\u012e/a', '/\u0100', '/a/\ud83d\ude00'),
)

t.test('bad percents are refused', (t) =>
  refused(t, '/%', '/%4', '/a%zz', '/%%', '/%u0041', '/%2', '/%e', '/a%2'),
)

t.test('a fragment is refused, wherever it stands', (t) =>
  refused(t, '/a#b', '/index.php#.png', '/a?b#c', '/#'),
)

t.test('what is no path and no URL is refused', (t) =>
  refused(t, '*', '', 'a/b', '?a', 'www.example:80', 'http:/a', '://a', 'javascript:alert(1)'),
)

t.test('absolute form', async (t) => {
  const { params } = seer()
  const of = async (url: string) => {
    const { PATH_INFO, QUERY_STRING, REQUEST_URI, HTTP_HOST } = await params(url)
    return [PATH_INFO, QUERY_STRING, REQUEST_URI, HTTP_HOST]
  }
  t.strictSame(await of('http://a.example/x?y'), ['/x', 'y', '/x?y', 'a.example'])
  t.strictSame(await of('http://a.example:81'), ['/', '', '/', 'a.example:81'])
  t.strictSame(await of('HTTPS://a.example?y=1'), ['/', 'y=1', '/?y=1', 'a.example'])
  t.strictSame(await of('http:///x'), ['/x', '', '/x', 'www.example'], 'no authority: Host')
  t.strictSame(await of('http://[::1]:80/x'), ['/x', '', '/x', '[::1]:80'])
  await refused(t, 'http://a.example/x#y', 'http://a.example#y', 'http://user:secret@a.example/')
})

t.test('CONNECT is refused', async (t) => {
  const { gateway, upstream } = seer()
  for (const url of ['example.org:443', '/x', '*'])
    t.equal((await ask(gateway, url, { method: 'CONNECT' })).status, 400, url)
  t.equal(upstream.seen.length, 0)
})

t.test('query and REQUEST_URI stay as they came', async (t) => {
  const { params } = seer()
  const of = async (url: string) => {
    const { QUERY_STRING, REQUEST_URI } = await params(url)
    return [QUERY_STRING, REQUEST_URI]
  }
  t.strictSame(await of('/a'), ['', '/a'])
  t.strictSame(await of('/a?'), ['', '/a?'])
  t.strictSame(await of('/a?b?c'), ['b?c', '/a?b?c'])
  t.strictSame(await of('/a%2F.//b?c=%zz&d=/../%00'), [
    'c=%zz&d=/../%00',
    '/a%2F.//b?c=%zz&d=/../%00',
  ])
  t.strictSame(await of('/\u00e9?\u00ff'), ['\u00ff', '/\u00e9?\u00ff'], 'bytes stay bytes')
})

t.test('a mount point is cut off what is decoded', async (t) => {
  const { names } = seer()
  const at = (mount: string, url: string) => names(url, { mount })
  t.equal(await at('/shop', '/shop/a'), '/shop + /a')
  t.equal(await at('/shop', '/shop'), '/shop + /')
  t.equal(await at('/shop', '/shop?x'), '/shop + /')
  t.equal(await at('/shop/', '/shop/a'), '/shop + /a')
  t.equal(await at('/shop', '/%73hop/a'), '/shop + /a')
  t.equal(await at('/%73hop', '/shop/a'), '/shop + /a')
  t.equal(await at('/a%20b', '/a%20b/c'), '/a b + /c')
  t.equal(await at('/shop', '/shop/../a'), '404', 'outside of the mount point')
  t.equal(await at('/shop', '/shopping/a'), '404')
  t.equal(await at('/shop', '/shop/%2e%2e/shop/a'), '/shop + /a')
})
