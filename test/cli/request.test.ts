/** The commands `fastcgi request` and `fastcgi ping` as processes of their own, to php-fpm, libfcgi and scripted ones. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { findPhpFpm, startPhpFpm } from '#php'
import { findPerlFcgi, startPerlFcgi } from '../helpers/libfcgi.ts'
import { needs } from '../helpers/require-program.ts'
import {
  eachRequest,
  endRecord,
  type Peer,
  type PeerOptions,
  response,
  type Script,
  startPeer,
  stdoutRecords,
} from '../helpers/scripted-peer.ts'
import { until, within } from '../helpers/wait.ts'

const MAIN = fileURLToPath(new URL('../../../packages/cli/dist/main.js', import.meta.url))
/** Without tap's loader, which would change what is on stderr, and without the cost of coverage. */
const ENV = { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '' }

interface Ran {
  code: number | null
  stdout: string
  stderr: string
  bytes: Buffer
}

/** Runs the command to its end. */
async function run(args: string[], stdin = ''): Promise<Ran> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: ENV })
  child.stdin.on('error', () => {})
  child.stdin.end(stdin)
  const written = Promise.all([buffer(child.stdout), text(child.stderr)])
  try {
    const [code] = await within('the end of the command', once(child, 'close'), 20_000)
    const [bytes, stderr] = await written
    return { code, stdout: bytes.toString(), stderr, bytes }
  } finally {
    child.kill('SIGKILL')
  }
}

async function peerOf(t: Test, script: Script, options: PeerOptions = {}): Promise<Peer> {
  const peer = await startPeer(script, options)
  t.teardown(() => peer.close())
  return peer
}

const FPM = needs('php-fpm', findPhpFpm())

t.test('request: a script of php-fpm', FPM, async (t) => {
  const fpm = await startPhpFpm({ children: 2 })
  t.teardown(() => fpm.stop())
  const script = join(t.testdir(), 'page.php')
  writeFileSync(
    script,
    `<?php header('X-Method: ' . $_SERVER['REQUEST_METHOD']); header('Content-Type: text/plain');
    if (isset($_GET['code'])) http_response_code((int) $_GET['code']);
    error_log('to the log');
    echo $_SERVER['REQUEST_URI'], ' ', $_SERVER['X'] ?? '', ' ', file_get_contents('php://input');`,
  )
  const base = ['request', '--upstream', fpm.address, '--script', script]
  const get = await run([...base, '--query', 'a=1', '--param', 'X=y=z'])
  t.equal(get.code, 0)
  t.match(
    get.stdout,
    /^Status: 200\r\n(.+\r\n)*X-Method: GET\r\n(.+\r\n)*\r\n\/page.php\?a=1 y=z $/,
  )
  t.match(get.stderr, 'to the log')

  const post = await run([...base, '--body', '-', '--no-head'], 'from stdin')
  t.equal(post.stdout, '/page.php  from stdin')
  const file = await run([...base, '--body', script, '--method', 'PUT'])
  t.match(file.stdout, /X-Method: PUT(.|\n|\r)*to the log/)

  const missing = await run([...base.slice(0, 3), '--script', `${script}.none`])
  t.equal(missing.code, 1, 'a status of 400 or more')
  t.match(missing.stdout, /^Status: 404 Not Found\r\n/)
  t.match(missing.stderr, 'Primary script unknown')
})

t.test('request: bytes as they are, roles, and what is not whole', async (t) => {
  const bytes = Buffer.from([0, 255, 10, 13, 200])
  const plain = await peerOf(
    t,
    eachRequest((_request, connection) => {
      connection.write(response(bytes), endRecord())
      connection.finish()
    }),
  )
  const base = (peer: Peer): string[] => ['request', '--upstream', peer.address, '--script', '/x']
  const whole = await run([...base(plain), '--no-head'])
  t.strictSame([whole.code, whole.bytes], [0, bytes])
  await run([...base(plain), '--role', 'authorizer'])
  t.strictSame(
    plain.requests.map(({ role }) => role),
    [1, 2],
  )

  const filter = await peerOf(
    t,
    eachRequest(async (request, connection) => {
      const all = Buffer.concat([await request.stdin(), await request.data()])
      connection.write(response(all), endRecord())
    }),
  )
  const file = join(t.testdir(), 'data')
  writeFileSync(file, 'the data')
  const more = ['--role', 'filter', '--data', file, '--body', '-', '--no-head']
  t.equal((await run([...base(filter), ...more], 'stdin, ')).stdout, 'stdin, the data')
  t.equal(filter.requests[0]?.params.FCGI_DATA_LENGTH, '8')

  const broken = await peerOf(
    t,
    eachRequest((_request, connection) => {
      connection.write(stdoutRecords('Content-Type: text/plain\r\n\r\nhalf'))
      connection.finish()
    }),
  )
  const half = await run([...base(broken), '--no-head'])
  t.strictSame([half.code, half.stdout], [1, 'half'])
  t.match(half.stderr, /^fastcgi request: .*closed the connection in the middle[^\n]*\n$/)

  const failing = await peerOf(
    t,
    eachRequest((_request, connection) => {
      connection.write(response('x'), endRecord(3))
    }),
  )
  t.equal((await run(base(failing))).code, 1, 'an exit status of the application')
})

t.test('request: silence, and nobody there', async (t) => {
  const peer = await peerOf(t, () => {})
  const base = ['request', '--upstream', peer.address, '--script', '/x']
  const silent = await run([...base, '--timeout', '100'])
  t.equal(silent.code, 1)
  t.match(silent.stderr, /^fastcgi request: .*sent no response head for 100 ms[^\n]*\n$/)
  await peer.close()
  const nobody = await run(base)
  t.equal(nobody.code, 1)
  t.match(nobody.stderr, /^fastcgi request: cannot connect[^\n]*\n$/)
})

t.test('ping: php-fpm and libfcgi say what they are', async (t) => {
  t.test('php-fpm', FPM, async (t) => {
    const fpm = await startPhpFpm({ children: 1 })
    t.teardown(() => fpm.stop())
    const { code, stdout, stderr } = await run(['ping', '--upstream', fpm.address])
    t.strictSame([code, stderr], [0, ''])
    t.match(stdout, /^answers after \d+ ms: FCGI_MPXS_CONNS=0\n$/)
  })
  t.test('libfcgi', needs('libfcgi-perl', findPerlFcgi()), async (t) => {
    const application = await startPerlFcgi('print "A: b\\r\\n\\r\\n";')
    t.teardown(() => application.stop())
    const { code, stdout } = await run(['ping', '--upstream', application.address])
    t.equal(code, 0)
    t.match(stdout, 'FCGI_MAX_CONNS=1 FCGI_MAX_REQS=1 FCGI_MPXS_CONNS=0\n')
  })
})

t.test('ping: with a request, for those that know no FCGI_GET_VALUES', async (t) => {
  const status = (code: number): Script =>
    eachRequest((_request, connection) => {
      connection.write(stdoutRecords(`Status: ${code} X\r\n\r\nbody`), endRecord())
    })
  for (const [code, expected] of [
    [200, 0],
    [404, 0],
    [503, 1],
  ] as const) {
    const peer = await peerOf(t, status(code))
    const ran = await run(['ping', '--upstream', peer.address, '--param', 'SCRIPT_NAME=/ping'])
    t.equal(ran.code, expected)
    if (expected === 0) t.match(ran.stdout, new RegExp(`: status ${code}, 4 bytes\n$`))
    else t.equal(ran.stderr, 'fastcgi ping: status 503 X\n')
    t.match({ ...peer.requests[0]?.params }, { SCRIPT_NAME: '/ping', REQUEST_METHOD: 'GET' })
  }
})

t.test('ping: no answer in time, and nobody there', async (t) => {
  const peer = await peerOf(t, () => {})
  const base = ['ping', '--upstream', peer.address]
  for (const args of [[], ['--script', '/x']]) {
    const { code, stdout, stderr } = await run([...base, ...args, '--timeout', '100'])
    t.strictSame([code, stdout], [1, ''])
    t.match(stderr, /^fastcgi ping: .*within 100 ms \(option (--)?timeout\)\n$/)
  }
  await peer.close()
  const nobody = await run(base)
  t.equal(nobody.code, 1)
  t.match(nobody.stderr, /^fastcgi ping: cannot connect/)
})

t.test('options that cannot be meant: exit code 2 and one line', async (t) => {
  const at = ['--upstream', '127.0.0.1:1']
  const cases: ReadonlyArray<readonly [string[], RegExp]> = [
    [['request'], /--upstream is missing/],
    [['ping'], /--upstream is missing/],
    [['ping', '--upstream', 'x'], /option --upstream: address "x"/],
    [['ping', ...at, '--timeout', '0'], /option --timeout must be a whole number/],
    [['ping', ...at, '--head'], /there is no option --head; --help shows all/],
    [['request', ...at], /option --script is missing/],
    [['request', ...at, '--param', 'X'], /option --param must be NAME=VALUE; got "X"/],
    [['request', ...at, '--script', '/x', '--role', 'king'], /must be one of responder/],
    [['request', ...at, '--script', '/x', '--role', 'filter'], /--data goes with --role filter/],
    [['request', ...at, '--script', '/x', '--data', '/x'], /--data goes with --role filter/],
    [['request', ...at, '--script', '/x', '--body', '/none'], /--body cannot be read: ENOENT/],
    [
      ['request', ...at, '--script', '/x', '--role', 'filter', '--data', '/none'],
      /--data cannot be read: ENOENT/,
    ],
  ]
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await run(args)
    t.strictSame([code, stdout], [2, ''], args.join(' '))
    t.match(stderr, message)
    t.match(stderr, /^fastcgi [^\n]*\n$/, 'one line')
  }
  for (const command of ['request', 'ping']) {
    const { code, stdout } = await run([command, '--help'])
    t.equal(code, 0)
    t.match(stdout, new RegExp(`^fastcgi ${command} --upstream`))
  }
})

t.test('request -d: the body, and its type', async (t) => {
  const file = (name: string): string => join(t.testdir({ [name]: 'x=1' }), name)
  const peer = await peerOf(
    t,
    eachRequest(async (request, connection) => {
      const { REQUEST_METHOD, CONTENT_TYPE } = request.params
      const text = `${REQUEST_METHOD} ${CONTENT_TYPE} ${await request.stdin()}`
      connection.write(response(text), endRecord())
    }),
  )
  const ask = async (...args: string[]): Promise<string> =>
    (
      await run(
        ['request', '--upstream', peer.address, '--script', '/x', '--no-head', ...args],
        'in',
      )
    ).stdout
  t.equal(await ask('-d', 'a=b'), 'POST application/x-www-form-urlencoded a=b')
  t.equal(await ask('--send', '{"a":1}'), 'POST application/json {"a":1}')
  t.equal(await ask('-d', '{a}'), 'POST application/x-www-form-urlencoded {a}')
  t.equal(await ask('-d', `@${file('a.json')}`), 'POST application/json x=1')
  t.equal(await ask('-d', `@${file('a.bin')}`), 'POST application/octet-stream x=1')
  t.equal(await ask('--body', file('a.txt'), '--method', 'PUT'), 'PUT text/plain x=1')
  t.equal(await ask('-d', '@-', '--param', 'CONTENT_TYPE=a/b'), 'POST a/b in')
  const both = await run([
    'request',
    '--upstream',
    'x:1',
    '--script',
    '/x',
    '-d',
    'a',
    '--body',
    'b',
  ])
  t.strictSame(
    [both.code, both.stderr],
    [2, 'fastcgi request: options --body and --send: give one of them\n'],
  )
})

t.test('ping --watch: one line each, until a signal', FPM, async (t) => {
  const fpm = await startPhpFpm({ children: 1 })
  t.teardown(() => fpm.stop())
  const args = [MAIN, 'ping', '--upstream', fpm.address, '--watch', '--interval', '20']
  const child = spawn(process.execPath, args, { env: ENV })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  await until('answers', () => output.split('\n').length > 2)
  await fpm.stop()
  // The first one may still find a connection that is about to be closed.
  await until('no connection', () => output.includes('no answer: cannot connect'))
  child.kill('SIGINT')
  const [code] = await within('the end', once(child, 'close'))
  t.equal(code, 1, 'that of the last answer')
  t.match(output, /^\d{4}-\S+Z answers after \d+ ms: FCGI_MPXS_CONNS=0\n/)
  t.match(output, /^\S+ no answer: cannot connect to unix:/m)
})
