/** Paths that try to run what is no script, to see its source, or to leave the root. */
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ADAPTERS, eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { skipsOnWasm } from '../helpers/php-on-wasm.ts'
import { NEEDS_CGI, NEEDS_FPM, phpCgi, phpFpm } from '../helpers/php-site.ts'
import { rawGet } from '../helpers/raw-http.ts'
import { scaled } from '../helpers/time-limit.ts'

const RAN =
  '<?php /* source */ echo "ran ", $_SERVER["SCRIPT_NAME"], " ", $_SERVER["PATH_INFO"] ?? "-";'
/** As unsafe as PHP can be set up: nothing but the gateway stands between a path and a script. */
const INI = { 'cgi.fix_pathinfo': 1 }
const POOL = { 'security.limit_extensions': '' }

/** Files below the root, all with the same script. */
const FILES: readonly string[] = [
  'x.php',
  'a/b.php',
  'dir.php/index.php',
  'uploads/evil.jpg',
  'uploads/index.php/evil.jpg',
  '.git/config.php',
  '.hidden.php',
  'upper.PHP',
  'fullwidth.ｐｈｐ',
  'fullwidth．php',
  'kelvin.\u212ab',
  'dotless.\u0131n',
  'é.php',
]

/** Names that hold the source of a script. */
const SOURCES = [
  'x.php~',
  'x.php.bak',
  'x.phps',
  'x.PHP.old',
  'x.php.swp',
  'x.phtml',
  'x.inc',
  '.htaccess',
  '.env',
]

/** What is answered: a status, or what runs with which PATH_INFO. */
const TARGETS: ReadonlyArray<readonly [string, number | string]> = [
  ['/x.php', 'ran /x.php -'],
  ['/x%2ephp', 'ran /x.php -'],
  ['/x.ph%70', 'ran /x.php -'],
  ['/x.php%00.jpg', 400],
  ['/x.jpg%00.php', 400],
  ['/../x.php', 400],
  ['/%2e%2e/x.php', 400],
  ['/a/%2e%2e/%2e%2e/x.php', 400],
  ['/a/..%2fx.php', 'ran /x.php -'],
  ['/%252e%252e/x.php', 404],
  ['/x%252ephp', 404],
  ['/uploads/evil.jpg', 404],
  ['/uploads/evil.jpg/x.php', 404],
  ['/uploads/evil.jpg/.php', 404],
  ['/uploads/evil.jpg%2fx.php', 404],
  ['/uploads/evil.jpg/x.php/y.php', 404],
  ['/uploads/index.php/evil.jpg', 404],
  ['/x.PHP', 404],
  ['/upper.PHP', 'ran /upper.PHP -'],
  ['/upper.php', 404],
  ['/x.php/', 'ran /x.php /'],
  ['/x.php/a/b', 'ran /x.php /a/b'],
  ['/x.php/y.php/c', 'ran /x.php /y.php/c'],
  ['/x.php.', 404],
  ['/x.php%20', 404],
  ['/x.php%20/a', 404],
  ['/x.php::$DATA', 404],
  ['/x.php%3Fa', 404],
  ['/x.php%23a', 404],
  ['/x.php;a', 404],
  ['//x.php', 'ran /x.php -'],
  ['//evil.example/x.php', 404],
  ['/./x.php', 'ran /x.php -'],
  ['/a%2fb.php', 'ran /a/b.php -'],
  ['/a%5cb.php', 400],
  ['/x.php%0a', 400],
  ['/x.php/a%0ab', 400],
  ['/x.php%0d%0aX:y', 400],
  ['/x.php%7f', 400],
  ['/x.php%', 400],
  ['/x.php%zz', 400],
  ['/dir.php/index.php', 'ran /dir.php/index.php -'],
  ['/dir.php/', 'ran /dir.php/index.php -'],
  ['/dir.php', 301],
  ['/dir.php/none', 404],
  ['/.git/config.php', 404],
  ['/%2egit/config.php', 404],
  ['/.hidden.php', 404],
  ['/.php', 404],
  ['/fullwidth.%EF%BD%90%EF%BD%88%EF%BD%90', 404],
  ['/fullwidth%EF%BC%8Ephp', 404],
  ['/uploads/evil.jpg/x.%EF%BD%90%EF%BD%88%EF%BD%90', 404],
  ['/kelvin.%E2%84%AAb', 404],
  ['/dotless.%C4%B1n', 404],
  ['/%C8%BA.php', 404],
  ['/%C3%A9.php', 'ran /é.php -'],
  ['/outside.php', 404],
  ['/outside/x.php', 404],
  ['/inside.php', 'ran /inside.php -'],
  ['http://localhost/x.php', 'ran /x.php -'],
]

t.test('paths', NEEDS_FPM, async (t) => {
  const { site, root } = makeSite(t)
  const php = await phpFpm(t, { ini: INI, pool: POOL })
  const upstream = php.address

  await t.test('without the look at the disk, the attack succeeds', async (t) => {
    if (skipsOnWasm(t, 'pathinfo')) return
    const { port } = await startAdapter(t, 'http', { upstream, root, checkLocal: false })
    const { text } = await rawGet(port, '/uploads/evil.jpg/x.php')
    t.match(text, 'ran ', 'so what follows proves something')
  })

  for (const adapter of ADAPTERS)
    await t.test(adapter, async (t) => {
      // The extensions with a k and an i are there for the letters that fold to them.
      const extensions = ['.php', '.kb', '.in']
      const { port } = await startAdapter(t, adapter, { upstream, root, extensions })
      for (const [target, expected] of TARGETS)
        await t.test(target, async (t) => {
          const { status, text } = await rawGet(port, target)
          t.notMatch(text, 'source')
          if (typeof expected === 'string')
            t.match(text, Buffer.from(`${expected}`).toString('latin1'))
          else t.notMatch(text, 'ran ')
          t.equal(status, typeof expected === 'string' ? 200 : expected)
        })
    })

  await eachAdapter(t, 'below a mount point', async (t, adapter) => {
    if (adapter === 'http') return
    const { port } = await startAdapter(t, adapter, { upstream, root, prefix: '/shop' })
    t.match((await rawGet(port, '/shop/x.php')).text, 'ran /shop/x.php -')
    t.equal((await rawGet(port, '/x.php')).status, 404)
    t.equal((await rawGet(port, '/shop/../x.php')).status, 404, 'that is no longer below it')
    t.equal((await rawGet(port, '/shop/%2e%2e/x.php')).status, 404)
    t.equal((await rawGet(port, '/shop/../../x.php')).status, 400)
  })

  await eachAdapter(t, 'followSymlinks', async (t, adapter) => {
    const { port } = await startAdapter(t, adapter, { upstream, root, followSymlinks: true })
    t.match((await rawGet(port, '/outside.php')).text, 'ran /outside.php -')
    t.match((await rawGet(port, '/outside/x.php')).text, 'ran /outside/x.php -')
  })

  await eachAdapter(t, 'static files never show the source of a script', async (t, adapter) => {
    const { port } = await startAdapter(t, adapter, { upstream, root, static: true })
    const style = await rawGet(port, '/style.css')
    t.same([style.status, style.headers['content-type']], [200, 'text/css'])
    for (const name of [...SOURCES, 'x.PHP', 'uploads/index.php/evil.jpg/', 'x.php%20']) {
      const { status, text } = await rawGet(port, `/${name}`)
      t.equal(status, 404, name)
      t.notMatch(text, 'source')
    }
    t.match((await rawGet(port, '/upper.PHP')).text, 'ran /upper.PHP -')
    t.equal((await rawGet(port, '/outside.css')).status, 404, 'a link that leaves the root')
    t.equal((await rawGet(port, '/%2e%2e/secret')).status, 400)
  })

  await eachAdapter(t, 'a deploy that switches a symlinked root is noticed', async (t, adapter) => {
    const current = join(site, 'current')
    const release = (number: number): void => {
      const directory = join(site, `release-${number}`)
      mkdirSync(directory, { recursive: true })
      const show = '$_SERVER["SCRIPT_FILENAME"], " ", $_SERVER["DOCUMENT_ROOT"]'
      writeFileSync(join(directory, 'x.php'), `<?php echo "release ${number} ", ${show};`)
      symlinkSync(directory, `${current}-new`)
      renameSync(`${current}-new`, current)
    }
    release(1)
    const { port } = await startAdapter(t, adapter, { upstream, root: current, resolveRoot: true })
    t.match((await rawGet(port, '/x.php')).text, `release 1 ${site}/release-1/x.php`)
    release(2)
    const end = performance.now() + scaled(2500)
    let text = ''
    while (!text.includes('release 2') && performance.now() < end)
      text = (await rawGet(port, '/x.php')).text
    t.match(text, `release 2 ${site}/release-2/x.php ${site}/release-2`)
  })
})

t.test('paths to php-cgi', NEEDS_CGI, async (t) => {
  const { root } = makeSite(t)
  const php = await phpCgi(t, { ini: INI })
  await eachAdapter(t, 'nothing but scripts runs', async (t, adapter) => {
    const { port } = await startAdapter(t, adapter, { upstream: php.address, root })
    t.match((await rawGet(port, '/x.php/a')).text, 'ran /x.php /a')
    for (const target of ['/uploads/evil.jpg/x.php', '/uploads/evil.jpg', '/outside.php'])
      t.notMatch((await rawGet(port, target)).text, 'ran ')
  })
})

/** A root with all of the files, links out of it, and a script beside it. */
function makeSite(t: Test): { site: string; root: string } {
  const site = t.testdir()
  const root = join(site, 'root')
  const put = (path: string, text: string): void => {
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, text)
  }
  for (const file of [...FILES, ...SOURCES]) put(join(root, file), RAN)
  put(join(root, 'style.css'), 'body {}')
  put(join(site, 'elsewhere/x.php'), RAN)
  put(join(site, 'secret'), 'source')
  symlinkSync(join(site, 'elsewhere/x.php'), join(root, 'outside.php'))
  symlinkSync(join(site, 'elsewhere'), join(root, 'outside'))
  symlinkSync(join(site, 'secret'), join(root, 'outside.css'))
  symlinkSync('x.php', join(root, 'inside.php'))
  return { site, root }
}
