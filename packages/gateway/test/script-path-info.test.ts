/** Where SCRIPT_NAME ends and PATH_INFO begins, in every mode, with and without a look at the disk. */

import type { PathInfoMode } from '@fastcgi/gateway'
import t, { type Test } from 'tap'
import { site, stubbed } from './harness.ts'

const FILES = [
  'index.php',
  'a.php',
  'dir/index.php',
  'dir/b.php',
  'dir.php/c.php',
  'v1.2/d.php',
  'uploads/e.jpg',
  'UPPER.PHP',
  'x.y.php',
  'noext',
  'deep/a.php/b.php',
]

async function check(
  t: Test,
  mode: PathInfoMode | undefined,
  options: object,
  expected: Record<string, string>,
): Promise<void> {
  const root = site(t, ...FILES)
  const { names } = stubbed({ root, pathInfo: mode, ...options })
  for (const [url, wanted] of Object.entries(expected)) t.equal(await names(url), wanted, url)
}

t.test('script (the default)', (t) =>
  check(
    t,
    undefined,
    {},
    {
      '/a.php': '/a.php + ',
      '/a.php/': '/a.php + /',
      '/a.php/x/y': '/a.php + /x/y',
      '/a.php/x.php': '/a.php + /x.php',
      '/': '/index.php + ',
      '/dir/': '/dir/index.php + ',
      '/dir/b.php/z': '/dir/b.php + /z',
      '/dir.php/c.php': '/dir.php/c.php + ',
      '/dir.php/c.php/z': '/dir.php/c.php + /z',
      '/v1.2/d.php/z.w': '/v1.2/d.php + /z.w',
      '/UPPER.PHP/z': '/UPPER.PHP + /z',
      '/x.y.php': '/x.y.php + ',
      '/deep/a.php/b.php': '/deep/a.php/b.php + ',
      '/dir.php/': '404',
      '/uploads/e.jpg/x.php': '404',
      '/noext': '404',
      '/none.php': '404',
      '/a.phpx': '404',
      '/a.php.': '404',
      '/a.php%20': '404',
      '/a.ph%C5%BF': '404',
      '/a.%EF%BD%90hp': '404',
      '/.php': '404',
      '/dir/.php': '404',
    },
  ),
)

t.test('first-dot', (t) =>
  check(
    t,
    'first-dot',
    {},
    {
      '/a.php/x': '/a.php + /x',
      '/a.php/x.php': '/a.php + /x.php',
      '/dir/b.php': '/dir/b.php + ',
      '/v1.2/d.php/z': '404',
      '/x.y.php/z': '/x.y.php + /z',
      '/': '/index.php + ',
      '/none': '404',
    },
  ),
)

t.test('last-dot', (t) =>
  check(
    t,
    'last-dot',
    {},
    {
      '/a.php/x': '/a.php + /x',
      '/v1.2/d.php/z': '/v1.2/d.php + /z',
      '/a.php/x.php': '404',
      '/deep/a.php/b.php/z': '/deep/a.php/b.php + /z',
      '/': '/index.php + ',
    },
  ),
)

t.test('full', (t) =>
  check(
    t,
    'full',
    {},
    {
      '/a.php/x': '/a.php + /x',
      '/a.php/x.php': '/a.php + /x.php',
      '/deep/a.php/b.php': '/deep/a.php/b.php + ',
      '/deep/a.php/b.php/z': '/deep/a.php/b.php + /z',
      '/uploads/e.jpg/x.php': '404',
      '/': '/index.php + ',
    },
  ),
)

t.test('all', async (t) => {
  const everything = {
    '/a.php/x': ' + /a.php/x',
    '/': ' + /',
    '/.git/x': ' + /.git/x',
    '/anything at all': ' + /anything at all',
  }
  await check(t, 'all', {}, everything)
  await check(t, 'all', { root: undefined }, everything)
  await check(t, undefined, { backendType: 'generic', root: undefined }, everything)
})

t.test('by name alone', async (t) => {
  const byName = { root: '/nowhere/at/all', checkLocal: false }
  await check(t, 'script', byName, {
    '/a.php': '/a.php + ',
    '/none.php/x.php': '/none.php + /x.php',
    '/dir/': '/dir/index.php + ',
    '/': '/index.php + ',
    '/noext/y': '/noext/y + ',
  })
  await check(t, 'first-dot', byName, {
    '/v1.php/d.php/z': '/v1.php + /d.php/z',
    '/x/y': '/x/y + ',
  })
  await check(t, 'last-dot', byName, { '/v1.2/d.php/z': '/v1.2/d.php + /z' })
  await check(t, 'full', byName, {
    '/a.php/b.php': '/a.php/b.php + ',
    '/a.php/b': '/a.php + /b',
  })
  await check(t, 'all', byName, { '/a.php/b': ' + /a.php/b' })
})

t.test('a generic backend keeps its own choice', async (t) => {
  const root = site(t, ...FILES)
  const { params } = stubbed({
    root,
    backendType: 'generic',
    pathInfo: 'first-dot',
    extensions: [],
  })
  const { SCRIPT_NAME, PATH_INFO, SCRIPT_FILENAME } = await params('/none.cgi/x')
  t.strictSame(
    [SCRIPT_NAME, PATH_INFO, SCRIPT_FILENAME],
    ['/none.cgi', '/x', `${root}/none.cgi`],
    'not looked for',
  )
})

t.test('what is found counts for a second, what is not found is looked for anew', async (t) => {
  const root = site(t, 'a.php')
  const { names } = stubbed({ root })
  t.equal(await names('/b.php'), '404')
  const { writeFileSync } = await import('node:fs')
  writeFileSync(`${root}/b.php`, '')
  t.equal(await names('/b.php'), '/b.php + ')
})
