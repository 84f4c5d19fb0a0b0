/** Every failure before the response head: its status, its code, its line in the log, and what the client is told. */
import {
  ConnectTimeoutError,
  type DispatchControl,
  type Dispatcher,
  type DispatcherStats,
  type DispatchHandler,
  type FastCGIError,
  type FastCGIRequest,
  type FastCGIResponse,
} from '@fastcgi/client'
import t from 'tap'
import { type AdapterOptions, eachAdapter } from '../helpers/adapters.ts'
import { behind } from '../helpers/behind.ts'
import {
  eachRequest,
  endRecord,
  type PeerConnection,
  record,
  type Script,
  stdoutRecords,
} from '../helpers/scripted-peer.ts'
import { until } from '../helpers/wait.ts'

/** Fails every request with the same error. */
class Failing implements Dispatcher {
  readonly #error: FastCGIError

  constructor(error: FastCGIError) {
    this.#error = error
  }

  dispatch(_request: FastCGIRequest, handler: DispatchHandler): DispatchControl {
    setImmediate(() => Reflect.apply(handler.onError, handler, [this.#error, false]))
    return { resume() {}, abort() {} }
  }

  request(): Promise<FastCGIResponse> {
    return Promise.reject(this.#error)
  }

  async close(): Promise<void> {}
  async destroy(): Promise<void> {}

  get stats(): DispatcherStats {
    const none = { connections: 0, idle: 0, active: 0, queued: 0, limit: 0, failed: 0, retries: 0 }
    return { ...none, requests: 0 }
  }
}

interface Failure {
  status: number
  code: string
  log: RegExp
  script?: Script
  options?: Partial<AdapterOptions>
}

/** Answers every request with these bytes, and closes where that is asked for. */
function bytes(part: Uint8Array, close = false): Script {
  return eachRequest((_request, connection: PeerConnection) => {
    connection.write(part)
    if (close) connection.finish()
  })
}

const silent: Script = () => {}
const once = { retries: 0 }

const FAILURES: Record<string, Failure> = {
  'no such socket': {
    status: 502,
    code: 'FCGI_CONNECT',
    log: /cannot connect to unix:\/nowhere\/s.*option upstream.*no such socket/,
    options: { upstream: 'unix:/nowhere/s' },
  },
  'unknown host': {
    status: 502,
    code: 'FCGI_CONNECT',
    log: /cannot connect to/,
    options: { upstream: 'fcgi://host.invalid:9000' },
  },
  'connect timeout': {
    status: 504,
    code: 'FCGI_CONNECT_TIMEOUT',
    log: /no connection to 10\.0\.0\.1 in time/,
    options: {
      upstream: new Failing(new ConnectTimeoutError('no connection to 10.0.0.1 in time')),
    },
  },
  OVERLOADED: {
    status: 503,
    code: 'FCGI_OVERLOADED',
    log: /overloaded \(FCGI_OVERLOADED\)/,
    script: bytes(endRecord(0, 2)),
  },
  'closed without an answer': {
    status: 502,
    code: 'FCGI_PREMATURE_CLOSE',
    log: /closed the connection without an answer/,
    script: bytes(Buffer.alloc(0), true),
  },
  'closed in the head': {
    status: 502,
    code: 'FCGI_PREMATURE_CLOSE',
    log: /before the response head was complete/,
    script: bytes(stdoutRecords('Content-Type: te'), true),
  },
  'ended in the head': {
    status: 502,
    code: 'FCGI_PROTOCOL',
    log: /inside the response head/,
    script: bytes(Buffer.concat([stdoutRecords('Content-Type: te'), endRecord()])),
  },
  'no output at all': {
    status: 502,
    code: 'FCGI_PROTOCOL',
    log: /without any output/,
    script: bytes(endRecord(255)),
  },
  'a head that is none': {
    status: 502,
    code: 'FCGI_PROTOCOL',
    log: /line without a colon/,
    script: bytes(stdoutRecords('Fatal error in \n/var/www/secret.php\n\n')),
  },
  'a head too large': {
    status: 502,
    code: 'FCGI_PROTOCOL',
    log: /over 1024 bytes \(option maxHeadSize\)/,
    script: bytes(stdoutRecords(`X: ${'x'.repeat(2000)}`)),
    options: { maxHeadSize: 1024 },
  },
  'a wrong version': {
    status: 502,
    code: 'FCGI_PROTOCOL',
    log: /version/,
    script: bytes(record(6, 'x', { version: 2 })),
  },
  'a wrong id': {
    status: 502,
    code: 'FCGI_PROTOCOL',
    log: /request id 7/,
    script: bytes(record(6, 'x', { id: 7 })),
  },
  UNKNOWN_ROLE: {
    status: 502,
    code: 'FCGI_PROTOCOL',
    log: /FCGI_UNKNOWN_ROLE/,
    script: bytes(endRecord(0, 3)),
  },
  'no head in time': {
    status: 504,
    code: 'FCGI_TIMEOUT',
    log: /sent no response head for 40 ms \(option timeouts\.head\)/,
    options: { timeouts: { head: 40 } },
  },
  'a second Content-Length': {
    status: 502,
    code: 'FCGI_PROTOCOL',
    log: /more than one Content-Length/,
    script: bytes(stdoutRecords('Content-Length: 1\r\nContent-Length: 2\r\n\r\nx')),
  },
  'a Content-Length that is none': {
    status: 502,
    code: 'FCGI_PROTOCOL',
    log: /Content-Length that is no number/,
    script: bytes(stdoutRecords('Content-Length: +1\r\n\r\nx')),
  },
  'a control character in a value': {
    status: 502,
    code: 'FCGI_PROTOCOL',
    log: /control character/,
    script: bytes(stdoutRecords('X-A: b\rSet-Cookie: c\r\n\r\nx')),
  },
  'status 101': {
    status: 502,
    code: 'FCGI_PROTOCOL',
    log: /101/,
    script: bytes(stdoutRecords('Status: 101\r\nUpgrade: x\r\n\r\n')),
  },
  'status 099': {
    status: 502,
    code: 'FCGI_PROTOCOL',
    log: /not three digits/,
    script: bytes(stdoutRecords('Status: 099 No\r\n\r\nx')),
  },
}

for (const [what, { status, code, log, script, options }] of Object.entries(FAILURES))
  eachAdapter(t, what, async (t, adapter) => {
    const { app, peer, get } = await behind(t, adapter, script ?? silent, { ...once, ...options })
    const response = await get()
    t.equal(response.status, status)
    t.equal(response.headers['retry-after'], status === 503 ? '1' : undefined)
    if (adapter === 'fastify') t.match(JSON.parse(response.body), { statusCode: status, code })
    t.match(app.log, [log], 'one line in the log')
    const secrets = [
      peer.address.replace(/^unix:/, ''),
      '/srv/www',
      '/nowhere',
      '10.0.0.1',
      'host.invalid',
    ]
    for (const secret of [...secrets, '/var/www'])
      t.notOk(response.text.includes(secret), `the client does not learn ${secret}`)
    await app.close()
    await until('every connection closing', () => peer.open === 0)
  })

eachAdapter(t, 'queue full', async (t, adapter) => {
  const limits = { maxConnections: 1, maxQueue: 0, timeouts: { head: 200 }, ...once }
  const { app, peer, get } = await behind(t, adapter, silent, limits)
  const [first, second] = await Promise.all([get(), get()])
  t.strictSame([first.status, second.status].sort(), [503, 504])
  t.equal((first.status === 503 ? first : second).headers['retry-after'], '1')
  t.match(app.log.join('\n'), /option maxQueue/)
  t.equal(peer.connections.length, 1)
})

eachAdapter(t, 'queue too slow', async (t, adapter) => {
  const limits = { maxConnections: 1, queueTimeout: 40, timeouts: { head: 300 }, ...once }
  const { app, get } = await behind(t, adapter, silent, limits)
  const both = await Promise.all([get(), get()])
  t.strictSame(both.map(({ status }) => status).sort(), [503, 504])
  t.match(app.log.join('\n'), /option queueTimeout/)
})

eachAdapter(t, 'bad requests', async (t, adapter) => {
  const { app, peer, get, send } = await behind(t, adapter, silent, { maxBodySize: 5 })
  for (const target of ['/x.php%00', '/x.php%0a', '/a%5cb.php', '/%2e%2e/%2e%2e/x.php'])
    t.equal((await get(target)).status, 400, target)
  t.equal((await send('POST /x.php', ['Content-Length: 6'], '123456')).status, 413)
  t.equal(peer.connections.length, 0)
  t.notOk(app.log.some((line) => /^error/.test(line)))
})

eachAdapter(t, 'params over their cap', async (t, adapter) => {
  const { get, peer } = await behind(t, adapter, silent, { maxParamsSize: 1024 })
  t.equal((await get('/x.php', [`X-Long: ${'x'.repeat(1024)}`])).status, 431)
  t.equal(peer.connections.length, 0)
})

eachAdapter(
  t,
  'PHP does not find the script: the log says where it was looked for',
  async (t, adapter) => {
    const script = eachRequest((_request, connection) => {
      connection.stderr('Primary script unknown')
      connection.write(stdoutRecords('Status: 404 Not Found\r\n\r\nFile not found.\n'), endRecord())
    })
    const { app, get } = await behind(t, adapter, script, { remoteRoot: '/in/container' })
    const response = await get('/a.php')
    t.strictSame([response.status, response.body.includes('File not found.')], [404, true])
    t.match(app.log, [
      /Primary script unknown; SCRIPT_FILENAME was \/in\/container\/a\.php.*remoteRoot/,
    ])
    t.notMatch(response.text, /container/)
  },
)

eachAdapter(t, 'stderr is logged, line by line, and never sent', async (t, adapter) => {
  const script = eachRequest((_request, connection) => {
    connection.stderr('PHP Warning: a\nPHP Not')
    connection.stderr('ice: b \u001b[31m\n')
    connection.write(stdoutRecords('X: 1\r\n\r\nbody'), endRecord())
  })
  const { app, get } = await behind(t, adapter, script)
  const response = await get()
  t.equal(response.status, 200)
  t.notMatch(response.text, /PHP/)
  t.match(app.log, [/PHP Warning: a$/, /PHP Notice: b .*\[31m$/])
  t.notOk(app.log.join().includes('\u001b'))
})
