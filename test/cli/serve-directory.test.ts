/** `fastcgi serve` without options: the site is recognized, PHP is started and ended with it. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { findPhpCgi } from '#php'
import { copyDokuWiki, NEEDS_DOKUWIKI } from '../helpers/dokuwiki.ts'
import { processesOf } from '../helpers/processes-of.ts'
import { needs } from '../helpers/require-program.ts'
import { type Served, serveWith, stop } from '../helpers/serve-command.ts'
import { PHP_FPM, textOf } from '../helpers/serve-site.ts'
import { scaled } from '../helpers/time-limit.ts'
import { until, within } from '../helpers/wait.ts'

const HELLO = `<?php echo 'Hello from ', php_sapi_name(), ' ', $_SERVER['REQUEST_URI'];`
/** Any free port, not 8080: several tests may run at a time. */
const PORT = ['--port', '0']

/** Starts it with a temporary directory of its own, in which the sockets of PHP are. */
async function serveHere(t: Test, cwd: string, ...args: string[]) {
  const temporary = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(temporary, { recursive: true, force: true }))
  const begun = performance.now()
  const served = await serveWith(t, { cwd, args: [...PORT, ...args], env: { TMPDIR: temporary } })
  return { ...served, temporary, begun }
}

async function nothingIsLeft(t: Test, temporary: string): Promise<void> {
  await until('all processes to end', () => processesOf(temporary).length === 0)
  t.strictSame(readdirSync(temporary), [], 'no socket, no file')
}

t.test('a fresh directory with one index.php; Ctrl+C leaves nothing', PHP_FPM, async (t) => {
  const cwd = t.testdir({ 'index.php': HELLO })
  const { temporary, begun, ...served } = await serveHere(t, cwd)
  t.equal(await textOf(`${served.url}/`), 'Hello from fpm-fcgi /')
  const took = performance.now() - begun
  t.ok(took < scaled(2000), `the first answer after ${took} ms`)
  t.match(served.stdout(), `fastcgi: ${served.url}/ serves ${cwd} (plain PHP) through /`)
  t.match(served.stdout(), /php-fpm[\d.]* \(\d+ workers( as [\w-]+)?\)\n$/)
  t.ok(processesOf(temporary).length > 1, 'PHP runs')
  served.child.kill('SIGINT')
  t.same(await within('the exit', served.exited), { code: 0, signal: null })
  await nothingIsLeft(t, temporary)
})

t.test('kill -9 leaves nothing, either', PHP_FPM, async (t) => {
  const cwd = t.testdir({ 'index.php': HELLO })
  const { temporary, ...served } = await serveHere(t, cwd, '--workers', '2')
  t.equal(await textOf(`${served.url}/`), 'Hello from fpm-fcgi /')
  served.child.kill('SIGKILL')
  await within('the workers to end', served.exited)
  await nothingIsLeft(t, temporary)
})

t.test('php-cgi, its workers and directives', needs('php-cgi', findPhpCgi()), async (t) => {
  const source = `<?php echo php_sapi_name(), ' ', ini_get('memory_limit'), ' ', getenv('PHP_FCGI_CHILDREN');`
  const cwd = t.testdir({ 'index.php': source })
  const options = ['--php', findPhpCgi() ?? '', '--php-workers', '2', '--ini', 'memory_limit=77M']
  const { temporary, ...served } = await serveHere(t, cwd, ...options)
  t.equal(await textOf(`${served.url}/`), 'cgi-fcgi 77M 2')
  await stop(t, served)
  await nothingIsLeft(t, temporary)
})

t.test('DokuWiki', { skip: PHP_FPM.skip || NEEDS_DOKUWIKI.skip }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  chmodSync(directory, 0o755)
  const cwd = join(directory, 'wiki')
  copyDokuWiki(cwd, 0)
  // It belongs to whom PHP runs as, as after an installation by that user.
  if (process.getuid?.() === 0) spawnSync('chown', ['-R', 'www-data', cwd])
  const { served } = await recognized(t, cwd, 'DokuWiki, by doku.php', cwd)
  t.equal((await fetch(`${served.url}/data/pages/x.txt`)).status, 403)
  t.match(await textOf(`${served.url}/install.php`), 'DokuWiki Installer')
})

t.test('a tree like that of Laravel', PHP_FPM, async (t) => {
  const cwd = t.testdir({
    artisan: '#!/usr/bin/env php',
    '.env': 'SECRET',
    public: { 'index.php': HELLO, 'robots.txt': 'robots' },
  })
  const { served } = await recognized(t, cwd, 'Laravel, by ../artisan', `${cwd}/public`)
  t.equal(await textOf(`${served.url}/articles/7`), 'Hello from fpm-fcgi /articles/7')
  t.equal(await textOf(`${served.url}/robots.txt`), 'robots')
  t.notMatch(await textOf(`${served.url}/../.env`), 'SECRET')
})

async function recognized(
  t: Test,
  cwd: string,
  kind: string,
  root: string,
): Promise<{ served: Served }> {
  const served = await serveHere(t, cwd)
  t.match(served.stdout(), `serves ${root} (${kind}) through`)
  t.teardown(() => served.child.kill('SIGTERM'))
  return { served }
}

t.test('further kinds of sites, and --site', async (t) => {
  const { siteOf, publicDirectory } = await import(
    new URL('../../../packages/cli/dist/settings/site.js', import.meta.url).href
  )
  const kinds: ReadonlyArray<readonly [string, object, string]> = [
    ['WordPress', { 'wp-login.php': '', 'wp-includes': {}, 'index.php': '' }, '.'],
    ['Drupal', { web: { core: { lib: { 'Drupal.php': '' } }, 'index.php': '' } }, 'web'],
    ['Symfony', { bin: { console: '' }, public: { 'index.php': '' } }, 'public'],
    ['front controller', { vendor: { 'autoload.php': '' }, public: { 'index.php': '' } }, 'public'],
    [
      'plain PHP',
      { vendor: { 'autoload.php': '' }, public: { 'index.php': '', 'x.php': '' } },
      'public',
    ],
    ['plain PHP', { htdocs: { 'index.php': '' } }, 'htdocs'],
    ['plain PHP', { htdocs: { 'index.html': '' } }, '.'],
    ['WordPress', { 'wp-login.php': '', 'wp-includes': {}, web: { 'index.php': '' } }, '.'],
  ]
  for (const [title, tree, where] of kinds) {
    const directory = t.testdir(tree as never)
    t.equal(publicDirectory(directory), join(directory, where), title)
    t.equal(siteOf(join(directory, where), undefined).title, title)
  }
  t.match(siteOf(t.testdir({}), 'wordpress'), { title: 'WordPress', by: undefined })
})
