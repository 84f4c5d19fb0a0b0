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
    [plus('--rot', '/'), 'there is no option --rot; did you mean --root?'],
    [
      plus('--maxconnections', '5'),
      'there is no option --maxconnections; did you mean --max-connections?',
    ],
    [plus('--quux'), 'there is no option --quux; --help shows all'],
    [plus('--no-index'), 'there is no option --no-index; did you mean --index?'],
    [plus('site'), 'option --root and the directory are the same; give one of them'],
    [['a', 'b'], 'one directory can be served at a time; there are a, b'],
    [['--root', '--upstream', 'localhost:9000'], 'option --root needs a value'],
    [plus('--index'), 'option --index needs a value'],
    [plus('--reuse=5'), 'option --reuse needs no value'],
    [[join(root, 'none')], `there is no directory ${root}/none: ${root} has nothing called none`],
    [[join(root, 'style.css')], `${root}/style.css is not a directory`],
    [
      ['--root', join(root, 'no', 'ne')],
      `there is no directory ${root}/no/ne, and no ${root}/no either`,
    ],
    [plus('--upstream', 'ftp://x:1'), 'option --upstream: address "ftp://x:1"'],
    [plus('--upstream', 'localhost'), 'it has no port'],
    [plus('--upstream', 'unix:php.sock'), 'must be absolute'],
    [plus('--listen', 'somewhere'), 'option --listen must be'],
    [plus('--listen', '127.0.0.1:65536'), 'option --listen must be'],
    [plus('--listen', ':8080'), 'option --listen must be'],
    [plus('--listen', '::1:8080'), 'option --listen must be'],
    [plus('--port', '65536'), 'option --port must be a whole number, 0 to 65535; got "65536"'],
    [plus('--port', '1', '--listen', '2'), 'options --listen and --port: give one of them'],
    [plus('--adapter', 'koa'), 'must be one of "fastify", "express", "http"; got "koa"'],
    [plus('--route', '.html'), 'must be one of ".php", "/"; got ".html"'],
    [['--root', root, '--route', '/'], 'option --route / needs --upstream'],
    [plus('--index', 'a/b.php'), 'option --index must be'],
    [plus('--index', 'a.php', '--index', 'b/c.php'), 'option --index must be'],
    [plus('--site', 'joomla'), 'must be one of "php", "front-controller", "laravel"'],
    [plus('--site', 'php', '--route', '/'), 'option --site goes with --route .php'],
    [
      plus('--deny', 'a/b'),
      "option --deny must be a path that begins with '/', or a name without slashes",
    ],
    [
      plus('--front-controller', 'index.php'),
      'option --front-controller must be a path that begins',
    ],
    [plus('--remote-root', 'srv'), 'option --remote-root must be an absolute path'],
    [plus('--max-connections', '0'), 'a whole number, 1 to 65535; got "0"'],
    [plus('--max-connections', '65536'), 'option --max-connections must be'],
    [plus('--max-connections', '1.5'), 'option --max-connections must be'],
    [plus('--max-body-size', '-1'), /--max-body-size/],
    [plus('--timeouts.head', 'soon'), 'option --timeouts.head must be milliseconds: a number'],
    [plus('--timeouts.total', '5'), 'option --timeouts.total must be an object with connect, head'],
    [plus('--log-level', 'loud'), 'option --log-level must be one of "trace"'],
    [plus('--workers', '0'), 'option --workers must be one of "auto", or a whole number, 1 to 256'],
    [
      plus('--ini', 'memory_limit'),
      'option --ini must be an object of php.ini directives; got "memory_limit"',
    ],
    [plus('--tls-cert', '/x.pem'), 'options --tls-cert and --tls-key: give both of them'],
    [
      plus('--adapter', 'http', '--trust-proxy', '1'),
      'option --trust-proxy goes with --adapter fastify',
    ],
  ]
  for (const [args, message] of cases) {
    const error = await errorOf(args)
    t.match(error, { code: 'FCGI_OPTION', message }, args.join(' '))
    t.notMatch(error?.message, '\n', 'one line')
  }
})

t.test('options of the gateway by their own names', async (t) => {
  const { serveArguments } = await import(new URL('settings/arguments.js', CLI).href)
  const values = (...args: string[]): object => serveArguments(args).values
  t.strictSame(values('--max-body-size', '1000', '--no-reuse', '--follow-symlinks'), {
    maxBodySize: 1000,
    reuse: false,
    followSymlinks: true,
  })
  t.strictSame(values('--timeouts.head', '5', '--timeouts.idle=6', '--static.max-age', '7'), {
    timeouts: { head: 5, idle: 6 },
    static: { maxAge: 7 },
  })
  t.strictSame(values('--env', 'A=1', '--env', 'B=x=y', '--exclude', '/api'), {
    env: { A: '1', B: 'x=y' },
    exclude: ['/api'],
  })
  t.strictSame(values('--upstream', 'a:1', '--upstream', 'b:2'), { upstream: ['a:1', 'b:2'] })
  t.strictSame(values('--accel', '/p/=/srv/files', '--index', 'a.php', '--trust-proxy', '2'), {
    accel: { '/p/': '/srv/files' },
    index: 'a.php',
    trustProxy: 2,
  })
  t.strictSame(values('--max-connections', 'auto', '--server-name', '5', '--access-log'), {
    maxConnections: 'auto',
    serverName: '5',
    accessLog: true,
  })
  t.strictSame(
    values(
      '--set-header',
      'Cache-Control: max-age=5',
      '--set-header',
      'X-A:b',
      '--hide-header',
      'x',
    ),
    { responseHeaders: { set: { 'Cache-Control': 'max-age=5', 'X-A': 'b' }, hide: ['x'] } },
  )
  t.strictSame(values('--php', 'php-cgi', '--php-workers', '3', '--ini', 'a=b', '--tls-key', 'k'), {
    php: { program: 'php-cgi', workers: 3, ini: { a: 'b' } },
    https: { key: 'k' },
  })
})

t.test('the environment', async (t) => {
  const { environmentOptions } = await import(new URL('settings/environment.js', CLI).href)
  t.strictSame(
    environmentOptions({
      PATH: '/bin',
      FASTCGI_UPSTREAM: 'php:9000',
      FASTCGI_TIMEOUTS__HEAD: '5',
      FASTCGI_ENV: '{"A":"b"}',
      FASTCGI_DENY: '["/a/","b"]',
      FASTCGI_REUSE: 'false',
      FASTCGI_PHP_WORKERS: '2',
      FASTCGI_GRACE: '',
      FASTCGI_CONFIG: '/x.json',
      FASTCGI_MAX_CONECTIONS: '7',
      FASTCGI_SERVICE_HOST: '10.0.0.1',
      FASTCGI_PORT: 'tcp://10.0.0.1:80',
      FASTCGI_PORT_80_TCP_ADDR: '10.0.0.1',
    }),
    {
      values: {
        upstream: 'php:9000',
        timeouts: { head: 5 },
        env: { A: 'b' },
        deny: ['/a/', 'b'],
        reuse: false,
        php: { workers: 2 },
      },
      warnings: [
        'the environment variable FASTCGI_MAX_CONECTIONS is no option; did you mean FASTCGI_MAX_CONNECTIONS?',
      ],
    },
  )
  t.throws(() => environmentOptions({ FASTCGI_PORT: 'http' }), {
    message: 'option FASTCGI_PORT must be a whole number, 0 to 65535; got "http"',
  })
})

async function errorOf(args: string[]): Promise<Error | undefined> {
  const { serveArguments } = await import(new URL('settings/arguments.js', CLI).href)
  const { loadSettings } = await import(new URL('settings/settings.js', CLI).href)
  try {
    await loadSettings(serveArguments(args), {}, false)
    return undefined
  } catch (error) {
    return error as Error
  }
}

t.test('exit code 2 and one line on stderr for what cannot be meant', async (t) => {
  const cases: ReadonlyArray<readonly [string[], string]> = [
    [['serv'], 'fastcgi: unknown command serv; did you mean serve?\n'],
    [
      ['frobnicate'],
      'fastcgi: unknown command frobnicate; there are serve, status, request, ping, spawn',
    ],
    [['serve', '--root', '--upstream', 'x'], 'fastcgi serve: option --root needs a value\n'],
    [['serve', '/none'], 'fastcgi serve: there is no directory /none: / has nothing called none\n'],
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
    t.match(stderr, /the directory .* cannot be read: permission denied/)
  },
)

t.test('exit code 1 when it cannot listen', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  const listen = `127.0.0.1:${port}`
  const options = ['--upstream', 'unix:/run/php.sock', '--root', site(t), '--listen', listen]
  for (const adapter of ADAPTERS) {
    const { status, stdout, stderr } = run('serve', ...options, '--adapter', adapter)
    t.equal(status, 1, adapter)
    t.equal(
      stderr,
      `fastcgi serve: port ${port} on 127.0.0.1 is taken by another program; choose another one (option --port), or none: then the first free one from 8080 on is taken\n`,
    )
    t.equal(stdout, '')
  }
})

t.test('--help, --version', async (t) => {
  for (const [args, text] of [
    [[], 'fastcgi serve [DIR]'],
    [['--help'], 'fastcgi status URL'],
    [['serve', '-h'], '--max-connections'],
  ] as const) {
    const { status, stdout } = run(...args)
    t.equal(status, 0)
    t.match(stdout, text)
  }
  t.equal(run('--version').stdout, `${VERSION}\n`)
})
