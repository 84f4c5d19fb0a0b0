/** Whole PHP sites: what the options of each kind of site make of its URLs, and what is never given away. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { sites } from '@fastcgi/gateway'
import t, { type Test } from 'tap'
import { ADAPTERS, type AdapterName, startAdapter } from '../helpers/adapters.ts'
import { ask, bodyOf } from '../helpers/php-http.ts'
import { NEEDS_FPM, phpFpm } from '../helpers/php-site.ts'
import { rawGet, rawRequest } from '../helpers/raw-http.ts'

const FIXTURES = join(process.cwd(), 'test/fixtures/sites')
/** What must not be seen: it is in every file that is not to be served, and in the output of scripts not to be run. */
const SECRET = 'this is source'

/** Beside what each site has of its own. */
const HIDDEN: readonly string[] = [
  '.htaccess',
  '.env',
  '.git/config',
  '.git/hook.php',
  'a/.git/config',
  'index.php~',
  'index.php.bak',
  'index.PHP.old',
  'a/page.inc',
  'a/page.phtml',
  'a/archive.phar',
]

/** Paths that lead to the hidden ones, were they not hidden. */
const SPELLINGS: readonly string[] = [
  ...HIDDEN.map((name) => `/${name}`),
  '/%2ehtaccess',
  '/.%68taccess',
  '//.htaccess',
  '/./.htaccess',
  '/a/../.htaccess',
  '/a/%2e%2e/.htaccess',
  '/a%2f..%2f.htaccess',
  '/.htaccess/',
  '/.HTACCESS',
  '/.htaccess%00',
  '/.htaccess%20',
  '/.htaccess.',
  '/%2egit/config',
  '/.git%2fconfig',
  '/.git//config',
  '/.git/./config',
  '/.git/x/../config',
  '/.git',
  '/.git/',
  '/.git/hook.php/info',
  '/a/.git%2fconfig',
  '/index.php~/',
  '/index.php%7e',
  '/index.php.bak?x',
  '/index.php%00.bak',
  '/index.%50HP.old',
  '/index.PHP',
  '/index.ph%50',
  '/index.php%20',
  '/index.php.',
  '/index.php::$DATA',
  '/a/page.in%63',
  '/a/page.inc/',
]

interface Site {
  root: string
  upstream: string
}

/** Copies a fixture and puts the hidden files into it; below `root` if that is not the whole of it. */
function copyFixture(t: Test, name: string, publicDirectory = ''): string {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  cpSync(join(FIXTURES, name), directory, { recursive: true })
  const root = join(directory, publicDirectory)
  for (const file of HIDDEN) write(root, file)
  return root
}

function write(root: string, name: string): void {
  mkdirSync(dirname(join(root, name)), { recursive: true })
  writeFileSync(join(root, name), `<?php echo '${SECRET}';\n`)
}

/** Under each adapter, and mounted below a path where it can be. */
const MOUNTS: ReadonlyArray<readonly [AdapterName, string]> = [
  ...ADAPTERS.map((name) => [name, ''] as const),
  ['fastify', '/in'],
  ['express', '/in'],
]

/** Starts a site everywhere and runs the same test on each. */
async function everywhere(
  t: Test,
  options: object,
  { root, upstream }: Site,
  run: (t: Test, get: Get, port: number, mount: string) => Promise<void>,
): Promise<void> {
  for (const [name, mount] of MOUNTS)
    await t.test(`${name} ${mount}`, async (t) => {
      const mounted = mount === '' ? {} : { prefix: mount }
      const { port } = await startAdapter(t, name, { ...options, ...mounted, root, upstream })
      const get: Get = async (path) => {
        const answer = await rawGet(port, mount + path)
        const { status, headers } = answer
        return {
          status,
          location: headers.location,
          type: headers['content-type'] ?? '',
          body: Buffer.from(bodyOf(answer), 'latin1').toString(),
        }
      }
      await run(t, get, port, mount)
      const leaks: string[] = []
      for (const path of SPELLINGS)
        if (/this is source|<\?php/.test((await get(path)).body)) leaks.push(path)
      t.strictSame(leaks, [], 'nothing hidden is given away')
    })
}

type Get = (
  path: string,
) => Promise<{ status: number; location: string | undefined; type: string; body: string }>

/** What a table says of each path: a status, a place to go to, or what the body begins with. */
async function follows(
  t: Test,
  get: Get,
  mount: string,
  table: Record<string, string | number>,
): Promise<void> {
  for (const [path, wanted] of Object.entries(table)) {
    const { status, location, body } = await get(path)
    if (typeof wanted === 'number') t.equal(status, wanted, path)
    else if (wanted.startsWith('-> '))
      t.match({ status, location }, { status: 301, location: mount + wanted.slice(3) }, path)
    else t.match(body, wanted, path)
  }
}

t.test('a front controller, as of Symfony or Laravel', NEEDS_FPM, async (t) => {
  const root = copyFixture(t, 'front-controller', 'public')
  const { address: upstream } = await phpFpm(t)
  await everywhere(t, sites.frontController, { root, upstream }, async (t, get, port, mount) => {
    await follows(t, get, mount, {
      '/': `home, articles at ${mount}/articles/1`,
      '/articles/7?draft=1': 'article 7 draft=1',
      '/articles/b%C3%A4r': 'article bär',
      '/articles/style.css': 'article style.css',
      '/articles/x/y': 'no route for /articles/x/y',
      '/style.css': 'color: green',
      '/assets/app.js': "console.log('built')",
      '/assets': 'no route for /assets',
      '/assets/': 'no route for /assets/',
      '/missing.css': 'no route for /missing.css',
      '/../src/router.php': mount === '' ? 400 : 404,
      '/index.php': 403,
      '/index.php/articles/7': 403,
      '/other.php': 403,
      '/assets/tool.php': 403,
      '/assets/tool.PHP/x': 403,
      '/missing.php': 403,
    })
    const { status, headers } = await ask(port, `${mount}/articles`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'title=New+one',
    })
    t.match(
      { status, headers },
      { status: 303, headers: { location: `${mount}/articles/New%20one` } },
    )
  })
})

t.test('permalinks, as of WordPress', NEEDS_FPM, async (t) => {
  const root = copyFixture(t, 'wordpress')
  const { address: upstream } = await phpFpm(t)
  await everywhere(t, sites.wordpress, { root, upstream }, async (t, get, port, mount) => {
    await follows(t, get, mount, {
      '/': 'posts of the test',
      '/index.php': 'posts of the test',
      '/?p=7': '-> /2026/11/post-7/',
      '/2026/11/hello-world/': 'post hello-world',
      '/2026/11/hello-world': '-> /2026/11/hello-world/',
      '/2026/11/%E4%BD%A0%E5%A5%BD/?x': 'post 你好',
      '/index.php/2026/11/by-path-info/': 'post by-path-info',
      '/wp-json/wp/v2/posts?per_page=1': '{"route":"\\/wp\\/v2\\/posts","method":"GET"}',
      '/wp-login.php?redirect_to=x': 'log in, then x',
      '/wp-admin': '-> /wp-admin/',
      '/wp-admin?x=%20y': '-> /wp-admin/?x=%20y',
      '/wp-admin/': 'dashboard',
      '/wp-admin/admin-ajax.php?action=heartbeat': '{"action":"heartbeat"}',
      '/wp-content/themes/plain/style.css': 'color: blue',
      '/wp-includes/wp.js': 'window.wp = {}',
      '/wp-content/uploads/2026/photo.jpg': 'a picture',
      '/wp-content/': 404,
      '/missing.php': 404,
      '/wp-content/uploads/2026/evil.php': 403,
      '/wp-content/uploads/2026/evil.php/x.jpg': 403,
      '/wp-content/uploads/2026/%65vil.PHP': 403,
      '/wp-content/uploads//2026/photo.jpg/x.php': 403,
      '/wp-config.php': 403,
      '/WP-CONFIG.php': 403,
      '/wp-config%2ephp/': 403,
      '/wp-admin/includes/file.php': 403,
      '/wp-content/debug.log': 403,
    })
    const put = await ask(port, `${mount}/wp-json/wp/v2/posts/1`, { method: 'PUT', body: '{}' })
    t.same(JSON.parse(put.body.toString()), { route: '/wp/v2/posts/1', method: 'PUT' })
  })
})

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

t.test('files have validators', NEEDS_FPM, async (t) => {
  const root = copyFixture(t, 'wordpress')
  const { address: upstream } = await phpFpm(t)
  const file = '/wp-content/themes/plain/style.css'
  const modified = 'Sat, 01 Nov 2025 12:00:00 GMT'
  // What has just been written has a weak tag, for two seconds.
  utimesSync(root + file, new Date(modified), new Date(modified))
  await everywhere(t, sites.wordpress, { root, upstream }, async (t, _get, port, mount) => {
    const path = mount + file
    const { headers } = await ask(port, path)
    t.match(headers, { 'content-type': /^text\/css/, 'last-modified': modified, etag: /./ })
    for (const [name, value] of [
      ['if-none-match', headers.etag],
      ['if-modified-since', modified],
    ] as const) {
      const again = await ask(port, path, { headers: { [name]: value } })
      t.match(again, { status: 304, headers: { etag: headers.etag } }, name)
      t.equal(again.body.length, 0)
    }
    const part = await ask(port, path, { headers: { range: 'bytes=0-3' } })
    t.equal(part.status, 206)
    t.equal(part.body.toString(), 'body')
  })
})
