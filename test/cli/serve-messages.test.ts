/** What `fastcgi serve` says, word for word, when it cannot serve. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { findPhpWasm } from '@fastcgi/php-wasm'
import t from 'tap'
import { CAN_HIDE_PHP, withoutPhp } from '../helpers/hidden-php.ts'
import { ENV, MAIN, serveWith, stop } from '../helpers/serve-command.ts'
import { scaled } from '../helpers/time-limit.ts'
import { until } from '../helpers/wait.ts'

interface Ran {
  status: number | null
  stdout: string
  stderr: string
}

function run(cwd: string, args: readonly string[], command: readonly string[] = []): Ran {
  const [file = '', ...all] = [...command, process.execPath, MAIN, 'serve', ...args]
  return spawnSync(file, all, { cwd, env: ENV, encoding: 'utf8', timeout: scaled(10_000) })
}

t.test('no PHP', CAN_HIDE_PHP, async (t) => {
  const cwd = t.testdir({ 'index.php': '' })
  // In this namespace the directories of PHP are empty, and that of its WebAssembly.
  const ran = run(cwd, ['--port', '0'], withoutPhp(findPhpWasm()?.directory ?? ''))
  t.equal(
    ran.stderr,
    'fastcgi serve: there is no PHP on this machine; install it with: apt install php-fpm; ' +
      'or, slow but enough to try: npm i @fastcgi/php-wasm @php-wasm/node-8-3\n',
  )
  t.equal(ran.status, 2)
})

t.test('a PHP that cannot be it', async (t) => {
  const cwd = t.testdir({ 'index.php': '' })
  t.equal(
    run(cwd, ['--port', '0', '--php', '/usr/bin/php']).stderr,
    'fastcgi serve: /usr/bin/php is not php-fpm or php-cgi; the PHP of the command line cannot serve requests\n',
  )
  t.equal(
    run(cwd, ['--port', '0', '--php', '/none/php-fpm']).stderr,
    'fastcgi serve: there is no program /none/php-fpm\n',
  )
})

t.test('a directory that is not there', async (t) => {
  const cwd = t.testdir({ file: '' })
  t.equal(
    run(cwd, ['none']).stderr,
    `fastcgi serve: there is no directory ${cwd}/none: ${cwd} has nothing called none\n`,
  )
  t.equal(run(cwd, ['file']).stderr, `fastcgi serve: ${cwd}/file is not a directory\n`)
})

t.test('configuration files, with the line', async (t) => {
  const cases: ReadonlyArray<readonly [file: string, content: string, message: string]> = [
    [
      'fastcgi.config.json',
      '{\n  "workers": 2,\n  "upstream" "x:1"\n}\n',
      ':3: no JSON: colon expected',
    ],
    [
      'fastcgi.config.json',
      '{\n  "workers": 2,\n\n  "maxConection": 5\n}\n',
      ':4: unknown option maxConection; did you mean maxConnections?',
    ],
    [
      'fastcgi.config.mjs',
      'export default {\n  workers: 2,\n  timeouts: { head: -1 },\n}\n',
      ':3: option timeouts must be an object whose head is milliseconds: a number from 0 (no limit) to 2147483647; got {"head":-1}',
    ],
    ['fastcgi.config.mjs', 'export default {\n  workers: ,\n}\n', ":2: Unexpected token ','"],
    [
      'fastcgi.config.mjs',
      'const workers = 2\n\nexport default { workers: count }\n',
      ':3: count is not defined',
    ],
  ]
  for (const [file, content, message] of cases) {
    const cwd = t.testdir({ [file]: content })
    const { status, stderr } = run(cwd, [])
    t.equal(stderr, `fastcgi serve: ${cwd}/${file}${message}\n`)
    t.equal(status, 2)
  }
  const cwd = t.testdir({})
  t.equal(
    run(cwd, ['--config', 'none.json']).stderr,
    `fastcgi serve: the configuration file cannot be read: ENOENT: no such file or directory, open '${cwd}/none.json'\n`,
  )
})

t.test('an upstream that is down', async (t) => {
  const cwd = t.testdir({ 'index.php': '' })
  const served = await serveWith(t, {
    cwd,
    args: ['--port', '0', '--upstream', 'unix:/none/x.sock'],
  })
  await until('the warning', () => served.stderr().includes('\n'))
  t.equal(
    JSON.parse(served.stderr()).msg,
    'the upstream does not answer: cannot connect to unix:/none/x.sock (option upstream): there is no such socket; is the application running, is the path right?',
  )
  await stop(t, served)
})

const asOther =
  process.getuid?.() === 0 ? false : 'a socket that may not be used needs another user'

t.test('a socket without permission', { skip: asOther }, async (t) => {
  const cwd = t.testdir({ 'index.php': '' })
  const path = join(cwd, 's')
  const server = createServer().listen(path)
  t.teardown(() => server.close())
  await until('the socket', () => existsSync(path))
  chmodSync(path, 0o600)
  const args = ['--port', '0', '--upstream', path]
  const served = await serveWith(t, { cwd, args, uid: 65_534 })
  await until('the warning', () => served.stderr().includes('\n'))
  t.equal(
    JSON.parse(served.stderr()).msg,
    `the upstream does not answer: cannot connect to unix:${path} (option upstream): permission denied; give this user access to the socket (php-fpm: listen.owner, listen.mode)`,
  )
  await stop(t, served)
})
