/** Which files are run or served at all: nothing outside of the root, no dotfiles, no source of a script. */
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { OptionError } from '@fastcgi/client'
import { createGateway } from '@fastcgi/gateway'
import t from 'tap'
import { ask, site, stubbed, Upstream } from './harness.ts'

t.test('symlinks out of the root', async (t) => {
  const outside = site(t, 'secret.php', 'sub/x.php')
  const root = site(
    t,
    'in.php',
    `out.php -> ${outside}/secret.php`,
    `away -> ${outside}/sub`,
    'near.php -> in.php',
    'broken.php -> nothing',
  )
  const { names } = stubbed({ root })
  t.equal(await names('/near.php'), '/near.php + ', 'a symlink inside the root')
  for (const url of ['/out.php', '/away/x.php', '/broken.php']) t.equal(await names(url), '404')
  const followed = stubbed({ root, followSymlinks: true })
  t.equal(await followed.names('/out.php'), '/out.php + ')
  t.equal(await followed.names('/away/x.php'), '/away/x.php + ')
  t.equal(await followed.names('/broken.php'), '404')
})

t.test('a root that is a symlink, or whose name begins as that of another', async (t) => {
  const parent = site(
    t,
    'real/x.php',
    'realer/y.php',
    'link -> real',
    'real/y.php -> ../realer/y.php',
  )
  const { names } = stubbed({ root: `${parent}/link` })
  t.equal(await names('/x.php'), '/x.php + ')
  t.equal(await names('/y.php'), '404', 'realer begins as real does')
})

t.test('dot segments are not looked at, .well-known apart', async (t) => {
  const root = site(
    t,
    '.git/x.php',
    '.hidden.php',
    'a/.b/c.php',
    '.well-known/x.php',
    '.well-known/.y.php',
  )
  const { names } = stubbed({ root })
  for (const url of [
    '/.git/x.php',
    '/.hidden.php',
    '/a/.b/c.php',
    '/.well-known/.y.php',
    '/%2egit/x.php',
  ])
    t.equal(await names(url), '404', url)
  t.equal(await names('/.well-known/x.php'), '/.well-known/x.php + ')
  const front = stubbed({ root, frontController: '/index.php' })
  t.equal(await front.names('/.git/x.php'), '/index.php + ')
})

t.test('static files', async (t) => {
  const root = site(
    t,
    'a.txt',
    'dir/index.html',
    'x.php~',
    'x.php.bak',
    'x.phps',
    'x.PHP',
    'old.inc',
    'lib.phar',
    't.phtml',
    'p.php5',
    '.env',
    'sp ace%41.txt',
    'app.phar.gz',
    'include.txt',
  )
  const { gateway, upstream } = stubbed({ root, static: true, index: 'index.html' })
  const status = async (url: string, method = 'GET') => (await ask(gateway, url, { method })).status
  t.equal(await status('/a.txt'), 200)
  t.equal(await status('/a.txt', 'HEAD'), 200)
  t.equal(await status('/a.txt', 'POST'), 404, 'only GET and HEAD')
  t.equal(await status('/dir/'), 200, 'an index that is no script')
  t.equal(await status('/sp%20ace%2541.txt'), 200)
  t.equal(await status('/include.txt'), 200)
  const { response } = await ask(gateway, '/dir')
  t.strictSame([response?.status, response?.headers.slice(0, 2)], [301, ['Location', '/dir/']])
  for (const url of [
    '/x.php~',
    '/x.php.bak',
    '/x.phps',
    '/old.inc',
    '/lib.phar',
    '/t.phtml',
    '/p.php5',
    '/.env',
    '/app.phar.gz',
  ])
    t.equal(await status(url), 404, url)
  t.equal(upstream.seen.length, 0)
  t.equal(await status('/x.PHP'), 200, 'is run')
  t.equal(upstream.seen.length, 1)
})

t.test('a directory without its slash is redirected, and never to another host', async (t) => {
  const root = site(t, 'dir/index.php', 'a/b/index.php')
  const { gateway } = stubbed({ root })
  const to = async (url: string, asked = {}) => {
    const { response } = await ask(gateway, url, asked)
    return [response?.status, response?.headers[1]]
  }
  t.strictSame(await to('/dir'), [301, '/dir/'])
  t.strictSame(await to('/dir?a=b'), [301, '/dir/?a=b'])
  t.strictSame(await to('//dir'), [301, '/dir/'])
  t.strictSame(await to('///a/b'), [301, '/a/b/'])
  t.strictSame(await to('/%64ir'), [301, '/%64ir/'])
  t.strictSame(await to('http://evil.example/dir'), [301, '/dir/'])
  t.strictSame(await to('/m/dir', { mount: '/m' }), [301, '/m/dir/'])
  t.strictSame(await to('/dir', { method: 'POST' }), [308, '/dir/'])
})

t.test('a root that is missing, no directory, or unreadable', (t) => {
  const upstream = new Upstream()
  const root = site(t, 'file', 'closed/')
  const make = (options: object) => () => createGateway({ upstream, ...options })
  t.throws(
    make({}),
    new OptionError(
      'createGateway: option root is missing; name the directory of the scripts, or set checkLocal: false to leave that to the application',
    ),
  )
  const refused = (path: string, why: RegExp) => {
    t.throws(make({ root: path }), { code: 'FCGI_OPTION', message: why })
    t.doesNotThrow(make({ root: path, checkLocal: false }))
    t.doesNotThrow(make({ root: path, backendType: 'generic' }))
  }
  refused(`${root}/none`, /option root: .*\/none cannot be read: ENOENT.*checkLocal: false/)
  refused(`${root}/file`, /it is no directory/)
  if (process.getuid?.() !== 0) {
    chmodSync(`${root}/closed`, 0o000)
    refused(`${root}/closed`, /EACCES/)
    chmodSync(`${root}/closed`, 0o700)
  }
  t.end()
})

t.test('a root that goes away later', async (t) => {
  const root = site(t, 'a.php')
  const { gateway, log } = stubbed({ root })
  rmSync(root, { recursive: true })
  const { status, error } = await ask(gateway, '/a.php')
  t.strictSame([status, error?.code, error?.message], [500, 'FCGI_ROOT', 'Internal Server Error'])
  t.match(log, [/^error root .* cannot be read: ENOENT.*option root/])
})

t.test('the real path of a root that is switched over', async (t) => {
  const parent = site(t, 'v1/a.php', 'v2/a.php', 'live -> v1')
  const { params } = stubbed({ root: `${parent}/live`, resolveRoot: true })
  t.match(await params('/a.php'), {
    DOCUMENT_ROOT: `${parent}/v1`,
    SCRIPT_FILENAME: `${parent}/v1/a.php`,
  })
  const plain = stubbed({ root: `${parent}/live/` })
  t.match(await plain.params('/a.php'), { DOCUMENT_ROOT: `${parent}/live` })
})

t.test('names in other alphabets are bytes on the disk', async (t) => {
  const root = site(t, 'gr\u00fc\u00dfe.php', 'caf\u00e9/index.php')
  writeFileSync(
    Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff]), Buffer.from('.php')]),
    '',
  )
  const { params } = stubbed({ root })
  const utf8 = (text: string) => Buffer.from(text).toString('latin1')
  t.match(await params('/gr%C3%BC%C3%9Fe.php'), {
    SCRIPT_FILENAME: utf8(`${root}/gr\u00fc\u00dfe.php`),
  })
  t.match(await params('/caf%C3%A9/'), { SCRIPT_NAME: utf8('/caf\u00e9/index.php') })
  t.match(await params('/%ff.php'), { SCRIPT_NAME: '/\u00ff.php' })
})
