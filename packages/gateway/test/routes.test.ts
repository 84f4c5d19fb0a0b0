/** Several routes: which one takes a path, whose upstream and root it has, and what is none of the gateway's. */

import { createGateway } from '@fastcgi/gateway'
import t from 'tap'
import { ask, site, stubbed, Upstream } from './harness.ts'

t.test('routes by ending and by prefix, first match wins, each with its own', async (t) => {
  const php = new Upstream()
  const perl = new Upstream()
  const root = site(t, 'a.php', 'index.php', 'cgi/env.pl', 'cgi/x.php')
  const other = site(t, 'cgi/only-here.pl')
  const gateway = createGateway<never>({
    root,
    upstream: php,
    routes: [
      { match: '/cgi/', upstream: perl, extensions: ['.pl'], env: { WHO: 'perl' } },
      { match: '/cgi/', upstream: perl, extensions: ['.pl'], root: other },
      { match: '.php' },
    ],
  })
  const to = async (url: string) => {
    php.seen.length = perl.seen.length = 0
    const { status } = await ask(gateway, url)
    const [seen] = [...php.seen, ...perl.seen]
    const who = php.seen.length > 0 ? 'php' : perl.seen.length > 0 ? 'perl' : status
    return [who, seen?.params.SCRIPT_FILENAME, seen?.params.WHO]
  }
  t.strictSame(await to('/cgi/env.pl/x'), ['perl', `${root}/cgi/env.pl`, 'perl'])
  t.strictSame(await to('/cgi/only-here.pl'), ['perl', `${other}/cgi/only-here.pl`, undefined])
  t.strictSame(await to('/a.php'), ['php', `${root}/a.php`, undefined])
  t.strictSame(await to('/cgi/x.php'), ['php', `${root}/cgi/x.php`, undefined])
  t.strictSame(await to('/'), ['php', `${root}/index.php`, undefined])
  t.strictSame(await to('/cgi/none.pl'), [404, undefined, undefined])
  t.strictSame(Object.keys(gateway.stats), ['upstream', 'upstream 2'], 'shared by the routes')
  await gateway.close()
  t.equal(php.closed + perl.closed, 0, 'who makes a dispatcher closes it')
})

t.test('upstreams that the gateway makes', async (t) => {
  const made: Upstream[] = []
  const make = () => {
    const upstream = new Upstream()
    made.push(upstream)
    return upstream
  }
  const root = site(t, 'a.php')
  const gateway = createGateway<never>({
    upstream: make,
    root,
    routes: [{ match: '/x/' }, { match: '.php' }, { match: '/', upstream: '127.0.0.1:9' }],
  })
  t.equal(made.length, 1, 'once for all the routes that name it')
  t.match(gateway.stats, { upstream: { requests: 0 }, '127.0.0.1:9': { connections: 0 } })
  await gateway.close()
  t.equal(made[0]?.closed, 1)
})

t.test('mapExtensions', async (t) => {
  const root = site(t, 'old.php3', 'new.php', 'x.phtml', 'y.pl5')
  const { names } = stubbed({ root, mapExtensions: { '.php3': '.php', '.pl5': '.pl' } })
  t.equal(await names('/old.php3/x'), '/old.php3 + /x')
  t.equal(await names('/new.php'), '/new.php + ')
  t.equal(await names('/y.pl5'), '404', 'stands for an ending that is none here')
  t.equal(await names('/x.phtml'), '404')
})

t.test('exclude', async (t) => {
  const root = site(t, 'a.php', 'static/b.php', 'statics/c.php')
  const { names } = stubbed({ root, exclude: ['/static/', '/a.php'], frontController: '/i.php' })
  t.equal(await names('/static/b.php'), '404')
  t.equal(await names('/static'), '404')
  t.equal(await names('/x/../st%61tic/b.php'), '404', 'whatever the spelling')
  t.equal(await names('/statics/c.php'), '/statics/c.php + ', 'whole segments')
  t.equal(await names('/a.php'), '404')
  t.equal(await names('/m/static/b.php', { mount: '/m' }), '404', 'counts from the mount point')
})

t.test('index and frontController', async (t) => {
  const root = site(t, 'index.php', 'a.php', 'home/start.php', 'empty/', 'style.css')
  const none = stubbed({ root, index: false })
  t.equal(await none.names('/'), '404')
  const other = stubbed({ root, index: 'start.php' })
  t.equal(await other.names('/home/'), '/home/start.php + ')
  t.equal(await other.names('/'), '404')
  const front = stubbed({ root, frontController: '/index.php' })
  t.equal(await front.names('/'), '/index.php + ')
  t.equal(await front.names('/blog/2024/x?y'), '/index.php + ')
  t.equal(await front.names('/a.php/x'), '/a.php + /x')
  t.equal(await front.names('/none.php'), '/index.php + ')
  t.equal(await front.names('/empty/'), '/index.php + ')
  t.equal(await front.names('/uploads/e.jpg/x.php'), '/index.php + ')
  t.equal(await front.names('/style.css'), '/index.php + ', 'unless static files are served')
  const both = stubbed({ root, frontController: '/index.php', static: true })
  const { response } = await ask(both.gateway, '/style.css')
  t.match(response?.headers.join(), /text\/css/)
  t.match(await front.params('/blog?a=b', { mount: '/m', env: {} }).catch((e) => e.message), /404/)
  t.match(await front.params('/m/blog?a=b', { mount: '/m' }), {
    SCRIPT_NAME: '/m/index.php',
    SCRIPT_FILENAME: `${root}/index.php`,
    DOCUMENT_URI: '/m/index.php',
    REQUEST_URI: '/m/blog?a=b',
    QUERY_STRING: 'a=b',
  })
})

t.test('extensions', async (t) => {
  const root = site(t, 'run', 'bin/tool', 'a.php', 'b.cgi')
  const some = stubbed({ root, extensions: ['.cgi', '.php'] })
  t.equal(await some.names('/b.cgi/x'), '/b.cgi + /x')
  t.equal(await some.names('/a.php'), '/a.php + ')
  t.equal(await some.names('/run'), '404')
  const all = stubbed({ root, extensions: [] })
  t.equal(await all.names('/run/x'), '/run + /x')
  t.equal(await all.names('/bin/tool/y/z'), '/bin/tool + /y/z')
  t.equal(await all.names('/bin'), '404')
})

t.test('a script that is named instead of the URL', async (t) => {
  const root = site(t, 'report.php', 'public.php')
  const { params, names, gateway } = stubbed({ root })
  t.match(await params('/any/thing?a=1', { mount: '/any', script: '/report.php/sub?b=2' }), {
    SCRIPT_NAME: '/report.php',
    PATH_INFO: '/sub',
    QUERY_STRING: 'b=2',
    REQUEST_URI: '/any/thing?a=1',
  })
  t.match(await params('/any?a=1', { script: '/report.php' }), { QUERY_STRING: 'a=1' })
  t.match(await params('/any?a=1', { script: '/report.php?' }), { QUERY_STRING: '' })
  const utf8 = (text: string) => Buffer.from(text).toString('latin1')
  t.match(await params('/any', { script: '/report.php/gr\u00fcn\u012e' }), {
    PATH_INFO: utf8('/gr\u00fcn\u012e'),
  })
  t.equal(await names('/any', { script: '/x/\u012e\u012e/report.php' }), '404', 'not ..')
  t.equal(await names('/any', { script: '/none.php' }), '404')
  t.equal((await ask(gateway, '/any', { script: 'report.php' })).status, 400)
  t.equal((await ask(gateway, '/any', { script: '/../report.php' })).status, 400)
})
