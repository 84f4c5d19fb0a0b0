/** What DokuWiki wants denied, under every spelling of its paths. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sites } from '@fastcgi/gateway'
import t from 'tap'
import { NEEDS_FPM, phpFpm } from '../helpers/php-site.ts'
import { rawGet, rawRequest } from '../helpers/raw-http.ts'
import { everywhere, follows, HIDDEN, SECRET, write } from '../helpers/site-layouts.ts'

/** A site with the layout of DokuWiki and nothing in it. */
const WIKI: readonly string[] = [
  ...['bin', 'conf', 'data', 'inc', 'vendor'].flatMap((name) => [
    `${name}/x.php`,
    `${name}/x.txt`,
    `${name}/index.html`,
  ]),
  'README',
  'lib/README',
  'VERSION',
  'COPYING',
]

/** Ways to write the same path. */
function spellings(path: string): string[] {
  const [, first = '', rest = ''] = /^\/(\w+)(.*)$/.exec(path) ?? []
  const hex = [...first].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('')
  return [
    path,
    path.toUpperCase(),
    `/${hex}${rest}`,
    `/${hex.toUpperCase()}${rest}`,
    `/${path}`,
    `/.${path}`,
    `/%2e${path}`,
    `/a/..${path}`,
    `/a/%2E%2e${path}`,
    `/a%2f..%2f${path}`,
    `/%2f${path}`,
    `/${first}/.${rest}`,
    `/${first}/%2e/${rest}`,
    `/${first}%2f${rest}`,
    `${path}/`,
    `${path}//`,
    `${path}/.`,
    `${path}/x/..`,
    `${path}?x`,
    `${path}/info`,
    // A long s, which some file systems take for an s.
    path.replace('s', '%C5%BF'),
  ]
}

/** Ways that lead nowhere, on a file system of Unix at least. */
function detours(path: string): string[] {
  const [, first = '', rest = ''] = /^\/(\w+)(.*)$/.exec(path) ?? []
  return [
    `/${first}.${rest}`,
    `/${first}%20${rest}`,
    `/%20${first}${rest}`,
    `/${first}%00${rest}`,
    `${path}%00.png`,
    `/${first}%5c${rest}`,
    `/a%5c..%5c${path}`,
    `/%25${first.charCodeAt(0).toString(16)}${first.slice(1)}${rest}`,
    `${path}#x`,
    `/..${path}`,
    `/%c0%ae%c0%ae${path}`,
  ]
}

t.test('what DokuWiki wants denied is, under every spelling', NEEDS_FPM, async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  for (const name of [...WIKI, ...HIDDEN]) write(root, name)
  writeFileSync(
    join(root, 'doku.php'),
    "<?php echo 'page ', $_SERVER['PATH_INFO'] ?? $_GET['id'] ?? '-';",
  )
  mkdirSync(join(root, 'lib/images'), { recursive: true })
  writeFileSync(join(root, 'lib/images/index.html'), 'nothing to see here')
  writeFileSync(join(root, 'lib/images/smile.svg'), '<svg/>')
  const { address: upstream } = await phpFpm(t)
  await everywhere(t, sites.dokuwiki, { root, upstream }, async (t, get, port, mount) => {
    const served: string[] = []
    for (const name of WIKI) {
      for (const path of spellings(`/${name}`))
        if ((await get(path)).status !== 403) served.push(path)
      for (const path of detours(`/${name}`)) {
        const { status, body } = await get(path)
        if (status < 400 || status >= 500 || body.includes(SECRET)) served.push(path)
      }
    }
    t.strictSame(served, [], 'nothing denied is served')
    for (const method of ['HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PROPFIND']) {
      const head = `${method} ${mount}/data/x.php HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`
      t.equal((await rawRequest(port, `${head}Content-Length: 0\r\n\r\n`)).status, 403, method)
    }
    // Frameworks do not look for a mount point in it.
    const { status } = await rawGet(port, `http://localhost${mount}/conf/x.txt`)
    t.ok(status === 403 || (mount !== '' && status === 404), `a whole URL: ${status}`)
    await follows(t, get, mount, {
      '/': 'page -',
      '/doku.php?id=data:x': 'page data:x',
      '/doku.php/data/x.txt': 'page /data/x.txt',
      '/lib/images': '-> /lib/images/',
      '/lib/images/': 'nothing to see here',
      '/lib/images/smile.svg': '<svg/>',
      '/lib/': 404,
      '/database': 404,
    })
  })
})
