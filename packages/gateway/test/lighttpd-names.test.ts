/** What lighttpd and Apache users can choose of the names an application is told. */
import t from 'tap'
import { site, stubbed } from './harness.ts'

function pick(params: Record<string, string>, ...names: string[]): Array<string | undefined> {
  return names.map((name) => params[name])
}

t.test('remoteRoot: what the application calls the directory', async (t) => {
  const root = site(t, 'a.php')
  const { params } = stubbed({ root, remoteRoot: '/srv/app/' })
  t.match(await params('/a.php/x/y'), {
    DOCUMENT_ROOT: '/srv/app',
    SCRIPT_FILENAME: '/srv/app/a.php',
    PATH_TRANSLATED: '/srv/app/x/y',
    SCRIPT_NAME: '/a.php',
  })
})

t.test('brokenScriptFilename, which remoteRoot puts out of action', async (t) => {
  const root = site(t, 'a.php')
  const broken = stubbed({ root, brokenScriptFilename: true })
  t.equal((await broken.params('/a.php/x')).SCRIPT_FILENAME, `${root}/a.php/x`)
  t.equal((await broken.params('/a.php')).SCRIPT_FILENAME, `${root}/a.php`)
  const remote = stubbed({ root, remoteRoot: '/srv', brokenScriptFilename: true })
  t.equal((await remote.params('/a.php/x')).SCRIPT_FILENAME, '/srv/a.php')
})

t.test('fixRootScriptName', async (t) => {
  const root = site(t, 'a.php')
  const { params } = stubbed({ root, fixRootScriptName: true })
  t.strictSame(pick(await params('/x/y'), 'SCRIPT_NAME', 'PATH_INFO', 'SCRIPT_FILENAME'), [
    '',
    '/x/y',
    undefined,
  ])
  const elsewhere = stubbed({
    root,
    fixRootScriptName: true,
    checkLocal: false,
    routes: [{ match: '/cgi/' }],
  })
  t.equal(await elsewhere.names('/cgi/x/y'), '/cgi/x + /y', 'only at the root')
})

t.test('stripRequestUri', async (t) => {
  const root = site(t, 'app/a.php', 'app2/a.php')
  const { params } = stubbed({ root, stripRequestUri: '/app/' })
  const uri = async (url: string) => (await params(url)).REQUEST_URI
  t.equal(await uri('/app/a.php?x'), '/a.php?x')
  t.equal(await uri('/app2/a.php'), '/app2/a.php', 'whole segments')
  t.equal((await params('/app/a.php')).SCRIPT_NAME, '/app/a.php', 'nothing else changes')
})

t.test('a generic backend', async (t) => {
  const { params } = stubbed({ backendType: 'generic' })
  t.strictSame(
    pick(
      await params('/api/users%2F1?x', { mount: '/api' }),
      'SCRIPT_NAME',
      'PATH_INFO',
      'SCRIPT_FILENAME',
      'DOCUMENT_ROOT',
      'PATH_TRANSLATED',
      'DOCUMENT_URI',
      'REQUEST_URI',
    ),
    ['/api', '/users/1', undefined, undefined, undefined, '/api/users/1', '/api/users%2F1?x'],
  )
  const rooted = stubbed({ backendType: 'generic', root: '/srv', frontController: '/app.fcgi' })
  t.match(await rooted.params('/x'), {
    SCRIPT_FILENAME: '/srv/app.fcgi',
    DOCUMENT_ROOT: '/srv',
    PATH_TRANSLATED: '/srv/x',
  })
})

t.test('no SCRIPT_FILENAME ever begins with proxy:', async (t) => {
  const { params } = stubbed({ backendType: 'fpm', checkLocal: false, root: '/srv' })
  t.equal((await params('/proxy:fcgi://x/a.php')).SCRIPT_FILENAME, '/srv/proxy:fcgi:/x/a.php')
  t.equal((await params('/?')).SCRIPT_FILENAME, '/srv/index.php')
})

t.test('a prefix without a look at the disk: the script ends at the next slash', async (t) => {
  const of = (match: string, extensions?: string[]) =>
    stubbed({
      root: '/srv',
      checkLocal: false,
      routes: [{ match, ...(extensions && { extensions }) }],
    })
  for (const extensions of [undefined, []]) {
    const inside = of('/cgi/', extensions)
    t.equal(await inside.names('/cgi/tool/a/b'), '/cgi/tool + /a/b')
    t.equal(await inside.names('/cgi/tool'), '/cgi/tool + ')
    t.equal(await inside.names('/other/tool'), '404')
    const itself = of('/tool', extensions)
    t.equal(await itself.names('/tool/a/b'), '/tool + /a/b')
    t.equal(await itself.names('/tool'), '/tool + ')
    const whole = of('/', extensions)
    t.equal(await whole.names('/a/b/c'), '/a/b/c + ', 'no prefix: all of it is the script')
  }
  t.equal(await of('/cgi/').names('/cgi/a/b.php/c'), '/cgi/a/b.php + /c', 'a script has its ending')
})

t.test('index and frontController in other alphabets', async (t) => {
  const root = site(t, 'd/d\u00e9but.php', 'd\u00e9part.php')
  const { params } = stubbed({ root, index: 'd\u00e9but.php', frontController: '/d\u00e9part.php' })
  const utf8 = (text: string) => Buffer.from(text).toString('latin1')
  t.equal((await params('/d/')).SCRIPT_FILENAME, utf8(`${root}/d/d\u00e9but.php`))
  t.equal((await params('/x')).SCRIPT_FILENAME, utf8(`${root}/d\u00e9part.php`))
  const routed = stubbed({ root, exclude: ['/\u00fc'], routes: [{ match: '/d\u00e9' }] })
  t.equal(await routed.names('/d%C3%A9part.php'), `${utf8('/d\u00e9part.php')} + `)
  const excluding = stubbed({ root, exclude: ['/d\u00e9part.php'] })
  t.equal(await excluding.names('/d%C3%A9part.php'), '404')
})
