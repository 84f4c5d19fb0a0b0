/** The command `fastcgi serve` as a process of its own, in front of a real php-fpm. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { findPhpFpm, startPhpFpm } from '#php'
import { ADAPTERS } from '../helpers/adapters.ts'
import { rawGet } from '../helpers/raw-http.ts'
import { needs } from '../helpers/require-program.ts'
import { startPeer, wellBehaved } from '../helpers/scripted-peer.ts'
import { CLI, ENV, MAIN, serve, stop, VERSION } from '../helpers/serve-command.ts'
import { scaled } from '../helpers/time-limit.ts'
import { delay, within } from '../helpers/wait.ts'

const PHP_FPM = needs('php-fpm', findPhpFpm())
const SECRET = 'this is source'
const SOURCE = `<?php /* ${SECRET} */ echo 'run'; ?>`
const SITE: Readonly<Record<string, string>> = {
  'index.php': `<?php echo 'index ', $_SERVER['SCRIPT_NAME'], ' ', $_SERVER['REQUEST_URI'];`,
  'hello.php': `<?php echo 'Hello ', $_GET['name'] ?? '', ' ', $_SERVER['PATH_INFO'] ?? '';`,
  'slow.php': `<?php
    echo 'begin ';
    while (ob_get_level() > 0) ob_end_flush();
    flush();
    usleep((int) $_GET['ms'] * 1000);
    echo 'end';`,
  'times.php': '<?php $from = microtime(true); usleep(100000); echo "$from ", microtime(true);',
  'style.css': 'body { color: red }',
  'other.html': '<p>other index</p>',
  'secret.php': SOURCE,
  'upper.PHP': SOURCE,
  'backup.php~': SOURCE,
  'backup.php.bak': SOURCE,
  'lib/page.inc': SOURCE,
  '.env': SECRET,
  '.git/config': SECRET,
}

function site(t: Test): string {
  const root = t.testdir()
  for (const [name, content] of Object.entries(SITE)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), content)
  }
  return root
}

async function php(t: Test, children = 2): Promise<string> {
  const fpm = await startPhpFpm({ children })
  t.teardown(() => fpm.stop())
  return fpm.address
}

async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text()
}

for (const adapter of ADAPTERS)
  t.test(`serves a site (${adapter})`, PHP_FPM, async (t) => {
    const root = site(t)
    const upstream = await php(t)
    const served = await serve(t, '--upstream', upstream, '--root', root, '--adapter', adapter)
    const { url, port } = served

    t.equal(await textOf(`${url}/`), 'index /index.php /')
    t.equal(await textOf(`${url}/hello.php?name=you`), 'Hello you ')
    t.equal(await textOf(`${url}/hello.php/more`), 'Hello  /more')
    const css = await fetch(`${url}/style.css`)
    t.match(css.headers.get('content-type'), /^text\/css/)
    t.equal(await css.text(), SITE['style.css'])
    t.equal((await fetch(`${url}/missing.css`)).status, 404)

    t.equal(await textOf(`${url}/secret.php`), 'run')
    const paths = ['/upper.PHP', '/secret.PHP', '/backup.php~', '/backup.php.bak', '/lib/page.inc']
    const hidden = ['/.env', '/.git/config', '/%2eenv', '/lib/../.env', '/lib/%2e%2e/.git/config']
    for (const path of [...paths, ...hidden, '/secret.php%00.css', '/secret.php/']) {
      const { status, text } = await rawGet(port, path)
      t.notMatch(text, SECRET, `${path} (${status})`)
      if (path !== '/secret.php/') t.ok(status >= 400, `${path}: ${status}`)
    }

    await stop(t, served)
    t.equal(
      served.stdout(),
      `fastcgi: ${url}/ serves ${root} through ${upstream}\n`,
      'one line on stdout',
    )
    t.notMatch(served.stderr(), 'hello.php', 'no log of requests unless it is asked for')
  })

for (const adapter of ADAPTERS)
  t.test(`SIGTERM: what runs gets its whole answer (${adapter})`, PHP_FPM, async (t) => {
    const root = site(t)
    const served = await serve(t, '--upstream', await php(t), '--root', root, '--adapter', adapter)
    const response = await fetch(`${served.url}/slow.php?ms=600`)
    served.child.kill('SIGTERM')
    const text = response.text()
    t.equal(await Promise.race([text, delay(200)]), undefined, 'it still runs')
    t.equal(await text, 'begin end')
    const begun = performance.now()
    t.same(await within('the exit', served.exited), { code: 0, signal: null })
    // fetch keeps its connection: that alone must not hold the process up.
    const took = performance.now() - begun
    t.ok(took < scaled(2000), `after ${took} ms`)
  })

t.test('the second signal ends it at once, of either kind', PHP_FPM, async (t) => {
  const root = site(t)
  const upstream = await php(t)
  for (const [first, second] of [
    ['SIGTERM', 'SIGTERM'],
    ['SIGTERM', 'SIGINT'],
  ] as const) {
    const served = await serve(t, '--upstream', upstream, '--root', root)
    const response = await fetch(`${served.url}/slow.php?ms=5000`)
    served.child.kill(first)
    await within('the server to stop listening', refuses(served.port))
    served.child.kill(second)
    const exit = await within('the exit', served.exited, 2000)
    t.same(exit, { code: null, signal: second }, `${first}, ${second}`)
    await t.rejects(response.text(), 'the client learns that it has not got all')
  }
})

/** Resolves when nobody listens any more. */
async function refuses(port: number): Promise<void> {
  while (await rawGet(port, '/style.css').catch(() => undefined));
}

for (const adapter of ADAPTERS)
  t.test(`what goes to stderr is JSON, and says what went wrong (${adapter})`, async (t) => {
    const root = site(t)
    const upstream = 'unix:/nonexistent/php.sock'
    const options = ['--upstream', upstream, '--root', root, '--adapter', adapter, '--access-log']
    const served = await serve(t, ...options)
    const response = await fetch(`${served.url}/hello.php`)
    t.equal(response.status, 502)
    t.notMatch(await response.text(), root, 'clients are not told of paths')
    await stop(t, served)
    // Whatever Node itself would print, a deprecation or an experimental feature, is no JSON.
    const lines = served.stderr().trimEnd().split('\n').map(parseLog)
    t.ok(
      lines.some(({ level, msg }) => level === 50 && msg.includes(upstream)),
      served.stderr(),
    )
    t.match(served.stderr(), '/hello.php', 'the access log')
  })

function parseLog(line: string): { level: number; msg: string } {
  return JSON.parse(line)
}

const SCRIPT = '/usr/bin/script'
const PTY = { skip: process.platform !== 'linux' || !existsSync(SCRIPT) ? 'no script(1)' : false }

t.test('on a terminal the log is for people, and Ctrl+C ends it', PTY, async (t) => {
  const root = site(t)
  // script(1) gives it to $SHELL, and a shell that stays in between would end by the signal itself (dash does).
  const command = `exec '${process.execPath}' '${MAIN}' serve --listen 0 --upstream unix:/none --root '${root}'`
  const child = spawn(SCRIPT, ['-qec', command, '/dev/null'], { env: ENV })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  let interrupted = false
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
    if (interrupted || !output.includes('serves')) return
    interrupted = true
    child.stdin.write('\x03')
  })
  const [code] = await within('the exit', once(child, 'close'))
  t.equal(code, 0, output)
  t.match(output, /INFO.*listening/)
  t.notMatch(output, '{"level"')
})

/** Asks for the paths, and returns what the application was told each time. */
async function toldBy(t: Test, args: string[], ...paths: string[]): Promise<object[]> {
  const peer = await startPeer(wellBehaved())
  t.teardown(() => peer.close())
  const served = await serve(t, '--upstream', peer.address, ...args)
  for (const path of paths) await textOf(served.url + path)
  await stop(t, served)
  return peer.requests.map(({ params }) => params)
}

t.test('--route /: every path goes to the application', async (t) => {
  const root = '/does/not/exist/here'
  const every = ['--root', root, '--route', '/']
  for (const adapter of ADAPTERS) {
    const args = [...every, '--adapter', adapter, '--index', 'start.php']
    t.match(await toldBy(t, args, '/app.php/info?q', '/style.css', '/x/'), [
      {
        SCRIPT_FILENAME: `${root}/app.php`,
        SCRIPT_NAME: '/app.php',
        PATH_INFO: '/info',
        QUERY_STRING: 'q',
      },
      { SCRIPT_NAME: '/style.css' },
      { SCRIPT_FILENAME: `${root}/x/start.php` },
    ])
  }
})

t.test('--remote-root: the root by the name it has for the application', async (t) => {
  const told = await toldBy(t, ['--root', site(t), '--remote-root', '/srv/site'], '/hello.php')
  t.match(told, [{ SCRIPT_FILENAME: '/srv/site/hello.php', DOCUMENT_ROOT: '/srv/site' }])
})

t.test('--index, --front-controller', PHP_FPM, async (t) => {
  const options = ['--upstream', await php(t), '--root', site(t)]
  const served = await serve(
    t,
    ...[...options, '--index', 'other.html', '--front-controller', '/index.php'],
  )
  t.equal(await textOf(`${served.url}/`), SITE['other.html'])
  t.equal(await textOf(`${served.url}/pretty/url?x`), 'index /index.php /pretty/url?x')
  t.equal(await textOf(`${served.url}/style.css`), SITE['style.css'])
  await stop(t, served)
})

t.test('--site, --deny, --index several times, --follow-symlinks', PHP_FPM, async (t) => {
  const root = site(t)
  symlinkSync(join(process.cwd(), 'test/fixtures/php'), join(root, 'linked'))
  const options = ['--upstream', await php(t), '--root', root]
  const statuses = (url: string, ...paths: string[]): Promise<number[]> =>
    Promise.all(paths.map(async (path) => (await fetch(url + path)).status))

  const own = ['--deny', '/lib/', '--deny', '*.css', '--index', 'none.php', '--index', 'other.html']
  const plain = await serve(t, ...options, ...own, '--follow-symlinks')
  t.equal(await textOf(`${plain.url}/`), SITE['other.html'])
  const paths = ['/lib/page.inc', '/style.css', '/secret.php', '/linked/pid.php']
  t.same(await statuses(plain.url, ...paths), [403, 403, 200, 200])
  await stop(t, plain)

  const wordpress = await serve(t, ...options, '--site', 'wordpress', '--deny', '/hello.php')
  t.equal(await textOf(`${wordpress.url}/2026/x`), 'index /index.php /2026/x')
  const other = ['/wp-config.php', '/hello.php', '/secret.php', '/linked/none.php']
  t.same(await statuses(wordpress.url, ...other), [403, 403, 200, 200])
  t.match(await textOf(`${wordpress.url}/linked/pid.php`), 'index', 'no symlinks by default')
  await stop(t, wordpress)

  const front = ['--site', 'front-controller', '--front-controller', '/hello.php']
  const changed = await serve(t, ...options, ...front)
  t.equal(await textOf(`${changed.url}/x?name=you`), 'Hello you ', 'what is said besides wins')
  t.same(await statuses(changed.url, '/secret.php'), [403])
  await stop(t, changed)
})

t.test('--reuse, --no-reuse', async (t) => {
  for (const [flag, connections] of [
    ['--reuse', 1],
    ['--no-reuse', 2],
  ] as const) {
    const peer = await startPeer(wellBehaved())
    t.teardown(() => peer.close())
    const options = ['--upstream', peer.address, '--root', site(t), flag]
    const served = await serve(t, ...options)
    await textOf(`${served.url}/hello.php`)
    await textOf(`${served.url}/hello.php`)
    await stop(t, served)
    t.equal(peer.requests[0]?.keepConnection, flag === '--reuse')
    t.equal(peer.connections.length, connections, flag)
  }
})

t.test('--max-connections: no more requests at a time', PHP_FPM, async (t) => {
  const options = ['--upstream', await php(t, 4), '--root', site(t)]
  const served = await serve(t, ...options, '--max-connections', '1')
  const answers = await Promise.all([1, 2, 3].map(() => textOf(`${served.url}/times.php`)))
  const spans = answers.map((text) => text.split(' ').map(Number)).sort((a, b) => sum(a) - sum(b))
  for (const [at, [from = 0]] of spans.slice(1).entries())
    t.ok(from >= (spans[at]?.[1] ?? Infinity), `one after the other: ${JSON.stringify(spans)}`)
  await stop(t, served)
})

function sum(numbers: number[]): number {
  return numbers.reduce((a, b) => a + b, 0)
}

/** Runs the command to its end. */
function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...args], {
    env: ENV,
    encoding: 'utf8',
    timeout: scaled(10_000),
  })
}

t.test('options that cannot be meant', async (t) => {
  const root = site(t)
  const good = ['--upstream', 'unix:/run/php.sock', '--root', root]
  const plus = (...more: string[]): string[] => [...good, ...more]
  const cases: ReadonlyArray<readonly [string[], string | RegExp]> = [
    [[], '--upstream is missing'],
    [['--upstream', 'localhost:9000'], '--root is missing'],
    [plus('--rot', '/'), /Unknown option '--rot'; there are --listen, --upstream/],
    [plus('--no-index'), "Unknown option '--no-index'"],
    [plus('site'), "Unexpected argument 'site'"],
    [['--root', '--upstream', 'localhost:9000'], 'option --root needs a value'],
    [plus('--index'), 'option --index needs a value'],
    [plus('--reuse=5'), 'option --reuse needs no value'],
    [plus('--root', join(root, 'none')), /option --root cannot be read: ENOENT.*none/],
    [plus('--root', join(root, 'style.css')), 'option --root must be a directory'],
    [plus('--upstream', 'ftp://x:1'), 'option --upstream: address "ftp://x:1"'],
    [plus('--upstream', 'localhost'), 'it has no port'],
    [plus('--upstream', 'unix:php.sock'), 'must be absolute'],
    [plus('--listen', 'somewhere'), 'option --listen must be'],
    [plus('--listen', '127.0.0.1:65536'), 'option --listen must be'],
    [plus('--listen', ':8080'), 'option --listen must be'],
    [plus('--listen', '::1:8080'), 'option --listen must be'],
    [plus('--adapter', 'koa'), 'must be one of fastify, express, http; got "koa"'],
    [plus('--route', '.html'), 'must be one of .php, /; got ".html"'],
    [plus('--index', 'a/b.php'), 'option --index must be a file name'],
    [plus('--index', 'a.php', '--index', 'b/c.php'), 'must be a file name, such as index.php'],
    [plus('--site', 'joomla'), 'one of php, front-controller, wordpress, dokuwiki; got "joomla"'],
    [plus('--site', 'php', '--route', '/'), 'option --site goes with --route .php'],
    [plus('--deny', 'a/b'), 'option --deny must be a path such as /data/, or a name'],
    [plus('--front-controller', 'index.php'), 'option --front-controller must be a path'],
    [plus('--remote-root', 'srv'), 'option --remote-root must be an absolute path'],
    [plus('--max-connections', '0'), 'must be a whole number, 1 to 65535; got "0"'],
    [plus('--max-connections', '65536'), 'option --max-connections must be'],
    [plus('--max-connections', '1.5'), 'option --max-connections must be'],
    [plus('--max-connections', 'auto'), 'option --max-connections must be'],
    [plus('--log-level', 'loud'), 'option --log-level must be one of trace'],
  ]
  const { parseServeOptions } = await import(new URL('serve-options.js', CLI).href)
  for (const [args, message] of cases) {
    const error = thrownBy(() => parseServeOptions(args))
    t.match(error, { code: 'FCGI_OPTION', message }, args.join(' '))
    t.notMatch(error?.message, '\n', 'one line')
  }
})

function thrownBy(action: () => unknown): Error | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    return error as Error
  }
}

t.test('exit code 2 and one line on stderr for what cannot be meant', async (t) => {
  const cases: ReadonlyArray<readonly [string[], string]> = [
    [['serv'], 'fastcgi: unknown command serv; there are serve, request, ping, spawn\n'],
    [['serve'], 'fastcgi serve: option --upstream is missing; for instance'],
    [['serve', '--root', '--upstream', 'x'], 'fastcgi serve: option --root needs a value\n'],
    [['serve', '--upstream', 'x:1', '--root', '/none'], 'option --root cannot be read: ENOENT'],
  ]
  for (const [args, message] of cases) {
    const { status, stdout, stderr } = run(...args)
    t.equal(status, 2, args.join(' '))
    t.match(stderr, message)
    t.match(stderr, /^fastcgi[^\n]*\n$/, 'one line')
    t.equal(stdout, '')
  }
})

t.test(
  'a root that may not be read',
  { skip: process.getuid?.() === 0 && 'root may' },
  async (t) => {
    const root = t.testdir({ site: {} })
    mkdirSync(join(root, 'closed'), { mode: 0 })
    const options = ['--upstream', 'unix:/run/php.sock', '--root', join(root, 'closed')]
    const { status, stderr } = run('serve', ...options)
    t.equal(status, 2)
    t.match(stderr, /option --root cannot be read: EACCES/)
  },
)

t.test('exit code 1 when it cannot listen', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const listen = `127.0.0.1:${(other.address() as AddressInfo).port}`
  const options = ['--upstream', 'unix:/run/php.sock', '--root', site(t), '--listen', listen]
  for (const adapter of ADAPTERS) {
    const { status, stdout, stderr } = run('serve', ...options, '--adapter', adapter)
    t.equal(status, 1, adapter)
    t.match(stderr, /^fastcgi serve: .*EADDRINUSE[^\n]*\n$/)
    t.equal(stdout, '')
  }
})

t.test('--help, --version', async (t) => {
  for (const args of [[], ['--help'], ['serve', '-h']]) {
    const { status, stdout } = run(...args)
    t.equal(status, 0)
    t.match(stdout, '--max-connections')
  }
  t.equal(run('--version').stdout, `${VERSION}\n`)
})
