/** Paths that no client gets, under any spelling, and files that stand for directories. */

import { sites } from '@fastcgi/gateway'
import t, { type Test } from 'tap'
import { site, stubbed } from './harness.ts'

/** What is answered to each: a status, or what is run. */
async function answers(
  t: Test,
  names: (url: string) => Promise<string>,
  table: Record<string, string>,
): Promise<void> {
  for (const [url, wanted] of Object.entries(table)) t.equal(await names(url), wanted, url)
}

t.test('a path and all below it', async (t) => {
  const root = site(t, 'index.php', 'data/x.php', 'database/x.php', 'x/data/x.php', 'a.php')
  const { names, log, upstream } = stubbed({ root, static: true, deny: ['/data/'] })
  await answers(t, names, {
    '/data': '403',
    '/data/': '403',
    '/data/x.php': '403',
    '/data/x.php/a/b': '403',
    '/data/none': '403',
    '/DATA/x.php': '403',
    '/d%61ta/x.php': '403',
    '//data//x.php': '403',
    '/./data/./x.php': '403',
    '/a/../data/x.php': '403',
    '/a/%2e%2e/data/x.php': '403',
    '/data%2fx.php': '403',
    '/%2fdata/x.php': '403',
    '/database/x.php': '/database/x.php + ',
    '/x/data/x.php': '/x/data/x.php + ',
    '/a.php/data/x.php': '/a.php + /data/x.php',
    '/data/../a.php': '/a.php + ',
    '/%64%2561ta/x.php': '404',
    '/data%00/x.php': '400',
    '/data%5cx.php': '403',
    '/data\\x.php': '403',
  })
  t.equal(upstream.seen.length, 0)
  t.ok(log.includes("info refused: /data/none is denied by '/data/' (option deny)"), `${log}`)
})

t.test('what file systems without case, or with forms of letters, take for the same', async (t) => {
  const { names } = stubbed({ checkLocal: false, deny: ['/Config/', '/é/', '/straße/'] })
  const forms = ['/config/x', '/CONFIG/x', '/\u{ff43}onfig/x', '/con\u200cfig/x', '/con\ufb01g/x']
  const accents = ['/é/x', '/e\u0301/x', '/É/x', '/STRASSE/x', '/stra\u017f\u017fe/x']
  for (const path of [...forms, ...accents]) t.equal(await names(encodeURI(path)), '403', path)
  t.equal(await names('/%C3/x'), '/Ã/x + ', 'bytes that are no UTF-8')
})

t.test('names, wherever they are', async (t) => {
  const { names } = stubbed({ checkLocal: false, deny: ['README', '*.bak', 'a.c', '[x]'] })
  await answers(t, names, {
    '/README': '403',
    '/readme': '403',
    '/x/README/y.php': '403',
    '/x/README.md': '/x/README.md + ',
    '/x/y.bak': '403',
    '/x.bak/y': '403',
    '/x.bak.php': '/x.bak.php + ',
    '/abc': '/abc + ',
    '/a.c': '403',
    '/x': '/x + ',
    '/[x]': '403',
  })
})

t.test('* stands for any characters, slashes included', async (t) => {
  const { names } = stubbed({ checkLocal: false, deny: ['/uploads/*.php', '/*/cache'] })
  await answers(t, names, {
    '/uploads/x.php': '403',
    '/uploads/2026/11/x.php': '403',
    '/uploads/x.php/info': '403',
    '/uploads/x.PHP': '403',
    '/uploads/x.png': '/uploads/x.png + ',
    '/x/uploads/x.php': '/x/uploads/x.php + ',
    '/a/b/cache/x': '403',
    '/a/b/cached': '/a/b/cached + ',
  })
})

t.test('a long path is looked at in no time', async (t) => {
  const { names } = stubbed({ checkLocal: false, deny: ['*.php', '/*.php', 'x*y'] })
  const begun = performance.now()
  await names(`${'/x'.repeat(8000)}.txt`)
  await names(`/${'.ph'.repeat(5000)}`)
  const took = performance.now() - begun
  t.ok(took < 1000 * Number(process.env.FCGI_TEST_SLOWNESS ?? 1), `${took} ms`)
})

t.test('/ is everything; the mount point does not count; own code may name anything', async (t) => {
  const root = site(t, 'data/x.php', 'x.php')
  const all = stubbed({ root, deny: ['/'] })
  t.equal(await all.names('/'), '403')
  t.equal(await all.names('/x.php'), '403')
  const { names } = stubbed({ root, deny: ['/data/'] })
  t.equal(await names('/data/x.php', { mount: '/data' }), '/data/x.php + ', 'x.php of the root')
  t.equal(await names('/a/data/x.php', { mount: '/a' }), '403')
  t.equal(await names('/any', { script: '/data/x.php' }), '/data/x.php + ')
})

t.test('it goes before every route', async (t) => {
  const root = site(t, 'index.php', 'data/x.txt')
  const { names } = stubbed({
    ...{ root, static: true, frontController: '/index.php', deny: ['/data/'] },
    routes: [{ match: '/data/', checkLocal: false }, { match: '/' }],
  })
  t.equal(await names('/data/x.txt'), '403')
  t.equal(await names('/data2/x.txt'), '/index.php + ')
})

t.test('several index files, best first', async (t) => {
  const files = ['a/one.php', 'a/two.php', 'b/two.php', 'c/index.html', 'd/x.txt', 'e/one.php/x']
  const root = site(t, ...files, 'e/two.php')
  const index = ['one.php', 'index.html', 'two.php']
  const { names } = stubbed({ root, index })
  const table = {
    '/a/': '/a/one.php + ',
    '/b/': '/b/two.php + ',
    '/c/': '404',
    '/c': '404',
    '/d/': '404',
    '/d': '404',
    '/e/': '/e/two.php + ',
    '/e': '301',
  }
  await answers(t, names, table)
  const withFiles = stubbed({ root, index, static: true })
  const head = (url: string): Promise<string> => withFiles.names(url, { method: 'HEAD' })
  await answers(t, head, { ...table, '/c/': '200', '/c': '301' })
  const without = stubbed({ root, index: [] })
  await answers(t, without.names, { '/a/': '404', '/a': '404' })
})

t.test('a directory that is mounted has a slash as well, whatever its index is', async (t) => {
  const root = site(t, 'index.html')
  const { names } = stubbed({ root, ...sites.php })
  t.equal(await names('/docs', { mount: '/docs' }), '301')
  t.equal(await names('/docs/', { mount: '/docs', method: 'HEAD' }), '200')
})

t.test('the options of sites are nothing but options', async (t) => {
  const root = site(t, 'index.php', 'doku.php')
  for (const [name, options] of Object.entries(sites)) {
    const { names, gateway } = stubbed({ ...options, root, deny: [...options.deny, '/private/'] })
    t.equal(await names('/private/x.php'), '403', name)
    t.match(await names('/'), /^\/(index|doku)\.php \+ $/, name)
    await gateway.close()
  }
})
