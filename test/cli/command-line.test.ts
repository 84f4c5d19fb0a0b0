/** Command lines that cannot be meant, exit codes, --help and --version. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { ADAPTERS } from '../helpers/adapters.ts'
import { CLI, ENV, MAIN, VERSION } from '../helpers/serve-command.ts'
import { site } from '../helpers/serve-site.ts'
import { scaled } from '../helpers/time-limit.ts'

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
