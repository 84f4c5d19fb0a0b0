import {
  type Dispatcher,
  FastCGIClient,
  OptionError,
  Pool,
  type PoolOptions,
  resolveUpstream,
} from '@fastcgi/client'
import { poolChecks } from '@fastcgi/client/internal'
import t from 'tap'
import { givenTimeouts } from './internals.ts'

const ADDRESS = 'unix:/run/php/php-fpm.sock'

const make = (options: unknown): Pool => new Pool(ADDRESS, options as PoolOptions)

/** For every option: values it can have, and values it cannot. */
const OPTIONS: Record<keyof PoolOptions, { right: unknown[]; wrong: unknown[] }> = {
  reuse: { right: [true, false], wrong: [1, 'true', null] },
  maxConnections: { right: ['auto', 1, 65_535], wrong: [0, -1, 1.5, 65_536, 'many', '5', null] },
  minConnections: { right: [1, 10], wrong: [0, 'auto'] },
  softMaxConnections: { right: [0, 5], wrong: [-1, Number.NaN] },
  idleTimeout: { right: [0, 1000, 0.5], wrong: [-1, '1s', Number.POSITIVE_INFINITY, 2 ** 31] },
  maxAge: { right: [0, 500], wrong: [-1, Number.NaN] },
  maxRequests: { right: [0, 500], wrong: [-1, 0.5] },
  fairness: { right: [0, 5], wrong: [-5, null] },
  multiplex: { right: [true, false, 'auto'], wrong: [1, 'yes', null] },
  maxMultiplexed: { right: [1, 32, 65_535], wrong: [0, 65_536, 'auto'] },
  maxPausedSize: { right: [0, 262_144], wrong: [-1, '1M'] },
  maxQueue: { right: [0, 1024], wrong: [-1, Number.POSITIVE_INFINITY] },
  queueTimeout: { right: [0, 30_000], wrong: ['30s', 2 ** 31] },
  retries: { right: [0, 100], wrong: [-1, 101, true] },
  maxHeadSize: { right: [64, 65_536], wrong: [63, 2 ** 24 + 1, '64k'] },
  tcpKeepAlive: { right: [true, false], wrong: [60] },
  tls: { right: [], wrong: [true, { ca: '/etc/ca.pem' }, { servername: '' }, { cer: 'x' }] },
  timeouts: {
    right: [
      {},
      { connect: 0 },
      { connect: 1, head: 2, idle: 3, write: 4, body: 5, multiplexReader: 6, abort: 7 },
      { reader: 6 },
    ],
    wrong: [1000, null, { connect: -1 }, { head: '1s' }, { total: 1 }, { valueOf: 1 }],
  },
}

t.test('every option is known here', (t) => {
  t.strictSame(Object.keys(OPTIONS).sort(), Object.keys(poolChecks).sort())
  t.end()
})

for (const [name, { right, wrong }] of Object.entries(OPTIONS))
  t.test(name, (t) => {
    for (const value of [...right, undefined]) make({ [name]: value })
    for (const value of wrong) {
      t.throws(() => make({ [name]: value }), { name: 'OptionError', code: 'FCGI_OPTION' })
      t.throws(() => make({ [name]: value }), {
        message: new RegExp(`Pool: option ${name} must be`),
      })
    }
    t.end()
  })

t.test('messages show what was given and what can be', (t) => {
  const messages: Array<[options: unknown, message: RegExp]> = [
    [{ maxConnections: 0 }, /must be one of "auto", or a whole number, 1 to 65535; got 0/],
    [{ timeouts: { head: '1s' } }, /an object whose head is milliseconds.*got {"head":"1s"}/],
    [
      { timeouts: { total: 1 } },
      /connect, head, idle, write, body, multiplexReader, abort, reader; not total/,
    ],
    [{ reuse: () => true }, /got a function/],
    [{ reuse: 1n }, /got 1n/],
    [{ reuse: 'x'.repeat(1000) }, /got "x{79}…$/],
    [{ maxConection: 1 }, /unknown option maxConection; did you mean maxConnections\?$/],
    [{ idletimeout: 1 }, /unknown option idletimeout; did you mean idleTimeout\?$/],
    [{ retires: 1 }, /unknown option retires; did you mean retries\?$/],
    [{ nonsense: 1 }, /unknown option nonsense; there are reuse, maxConnections, /],
    [null, /options must be an object, got null/],
    ['fast', /options must be an object, got "fast"/],
  ]
  for (const [options, message] of messages) t.throws(() => make(options), { message })
  t.end()
})

t.test('names that other servers use are answered with ours', (t) => {
  const names: Record<string, string> = {
    enablereuse: 'reuse',
    disablereuse: 'reuse: false',
    max: 'maxConnections',
    min: 'minConnections',
    smax: 'softMaxConnections',
    ttl: 'idleTimeout',
    acquire: 'queueTimeout',
    connectionTimeout: 'timeouts: { connect }',
    timeout: 'timeouts: { head, idle }',
    keepConn: 'reuse',
  }
  for (const [name, ours] of Object.entries(names))
    t.throws(() => make({ [name]: 1 }), {
      message: `Pool: unknown option ${name}; here it is ${ours}`,
    })
  t.end()
})

t.test('names that every object has are no options', (t) => {
  for (const name of ['toString', 'constructor', 'hasOwnProperty', 'valueOf'])
    t.throws(() => make({ [name]: 1 }), { code: 'FCGI_OPTION', message: /unknown option/ })
  t.end()
})

t.test("the caller's object is not written to, nor looked at later", (t) => {
  const timeouts = Object.freeze({ head: 5 })
  const options = Object.freeze({ maxConnections: 2, timeouts, maxAge: undefined })
  t.equal(make(options).stats.limit, 2)
  t.strictSame(options, { maxConnections: 2, timeouts: { head: 5 }, maxAge: undefined })
  const changing = { maxConnections: 2 }
  const pool = make(changing)
  changing.maxConnections = 9
  t.equal(pool.stats.limit, 2)
  t.end()
})

t.test('a pool starts with nothing', (t) => {
  const { learned, ...stats } = make({}).stats
  t.match(learned, { adaptive: true, most: 64, served: 0, waiting: 0 })
  t.strictSame(stats, {
    connections: 0,
    idle: 0,
    active: 0,
    queued: 0,
    limit: 64,
    requests: 0,
    failed: 0,
    retries: 0,
  })
  t.end()
})

t.test('upstream', async (t) => {
  const pool = make({})
  let closed = 0
  const dispatcher: Dispatcher = {
    dispatch: (request, handler) => pool.dispatch(request, handler),
    request: (request) => pool.request(request),
    close: async () => void closed++,
    destroy: async () => void closed++,
    stats: pool.stats,
  }

  t.test('an address makes a pool that is closed with the client', async (t) => {
    const client = new FastCGIClient(ADDRESS, { maxConnections: 3 })
    t.ok(client.dispatcher instanceof Pool)
    t.equal(client.stats.limit, 3)
    await client.close()
    await t.rejects(client.request({ params: {} }), { code: 'FCGI_CLOSED' })
  })
  t.test('a dispatcher stays whose it is', async (t) => {
    const client = new FastCGIClient(dispatcher)
    t.equal(client.dispatcher, dispatcher)
    await client.close()
    await client.destroy()
    t.equal(closed, 0)
  })
  t.test('what a function makes is closed', async (t) => {
    await new FastCGIClient(() => dispatcher).close()
    await new FastCGIClient(() => dispatcher).destroy()
    t.equal(closed, 2)
  })
  t.test('anything else is refused', (t) => {
    for (const value of [undefined, null, 9000, {}, () => undefined, { dispatch: 1 }])
      t.throws(() => resolveUpstream(value as unknown as string, {}), OptionError)
    t.throws(() => new FastCGIClient('nonsense'), OptionError)
    t.throws(() => new FastCGIClient(ADDRESS, { max: 1 } as PoolOptions), OptionError)
    t.end()
  })
})

t.test('timeouts.reader is the former name of timeouts.multiplexReader', (t) => {
  t.strictSame(givenTimeouts({ reader: 6, head: undefined as never }), { multiplexReader: 6 })
  t.strictSame(givenTimeouts({ reader: 6, multiplexReader: 7 }), { multiplexReader: 7 })
  t.strictSame(givenTimeouts({ head: 5 }), { head: 5 })
  t.strictSame(givenTimeouts(), {})
  t.end()
})
