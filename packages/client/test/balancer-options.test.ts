/** Options of a balancer and its members: each right, each wrong, unknown names, frozen objects. */
import {
  Balancer,
  type BalancerOptions,
  FastCGIClient,
  type HealthCheckOptions,
  type MemberOptions,
  type PoolOptions,
} from '@fastcgi/client'
import { poolChecks } from '@fastcgi/client/internal'
import t, { type Test } from 'tap'
import { Stub, send, sent } from './balancer-stubs.ts'

type Values = { right: unknown[]; wrong: unknown[] }

const members = [':9001', ':9002']

function make(t: Test, options: unknown): Balancer {
  const balancer = new Balancer(options as BalancerOptions)
  t.teardown(() => balancer.destroy())
  return balancer
}

const times: Values = { right: [0, 100], wrong: [-1, '1s', null, Number.NaN, 2 ** 31] }

const OPTIONS: Record<Exclude<keyof BalancerOptions, keyof PoolOptions>, Values> = {
  members: { right: [[], members], wrong: [':9001', {}, null, ['nonsense'], [null], [1], [{}]] },
  name: { right: ['shop'], wrong: ['', 1] },
  method: {
    right: [
      'byrequests',
      'bytraffic',
      'bybusyness',
      'heartbeat',
      'least-connection',
      'round-robin',
      'hash',
      'sticky',
      'random-two',
    ],
    wrong: ['fair', 'toString', 1],
  },
  key: { right: [() => 'x'], wrong: ['path'] },
  stickySession: {
    right: ['ROUTE', 'A|b', { cookie: 'A' }, { cookie: 'A', parameter: 'b', separator: false }],
    wrong: [
      '',
      'A|',
      '|b',
      {},
      { parameter: 'b' },
      { cookie: 'A', separator: '' },
      { cookie: 'A', separator: true },
      1,
    ],
  },
  nofailover: { right: [true], wrong: ['on'] },
  maxAttempts: { right: [1], wrong: [0, 1.5] },
  failOnStatus: { right: [[], [500, 503]], wrong: [500, [99], [1000], ['500']] },
  forceRecovery: { right: [false], wrong: ['off'] },
  timeout: times,
  retry: times,
  maxFailures: { right: [1], wrong: [0] },
  failureWindow: times,
  slowStart: times,
  replayBuffer: { right: [0], wrong: [-1, '64k'] },
  maxRequestsInFlight: { right: [1], wrong: [0, Number.POSITIVE_INFINITY] },
  healthCheck: {
    right: [
      { path: '/ping', body: 'pong' },
      { path: '/ping', body: /pong/ },
    ],
    wrong: [
      '/ping',
      {},
      { path: undefined },
      { path: '' },
      { path: '/p', interval: 0 },
      { path: '/p', timeout: 0 },
      { path: '/p', passes: 0 },
      { path: '/p', fails: 0 },
      { path: '/p', status: 200 },
      { path: '/p', body: 1 },
      { path: '/p', params: null },
      { path: '/p', method: 'GET' },
    ],
  },
  discover: {
    right: [
      { name: 'localhost:9000', servers: ['127.0.0.1:1'] },
      { name: 'srv:_php._tcp.x', servers: ['127.0.0.1:1', '[::1]:1'], grace: 0, interval: 5000 },
    ],
    wrong: [
      'localhost:9000',
      {},
      { interval: 1 },
      { name: undefined },
      { name: 'localhost' },
      { name: ':9000' },
      { name: 'srv:' },
      { name: 'srv:x:53' },
      { name: 'localhost:0' },
      { name: 'localhost:65536' },
      { name: 'localhost:9000', interval: 0 },
      { name: 'localhost:9000', grace: -1 },
      { name: 'localhost:9000', servers: '127.0.0.1' },
      { name: 'localhost:9000', servers: ['name.server'] },
      { name: 'localhost:9000', servers: [] },
    ],
  },
}

for (const [name, { right, wrong }] of Object.entries(OPTIONS))
  t.test(name, (t) => {
    for (const value of [...right, undefined])
      make(t, { members, [name]: value ?? (name === 'members' ? members : undefined) })
    for (const value of wrong) {
      const shown = JSON.stringify(value)
      t.throws(() => make(t, { members, [name]: value }), { code: 'FCGI_OPTION' }, shown)
    }
    if (name !== 'members')
      for (const value of wrong)
        t.throws(() => make(t, { members, [name]: value }), {
          message: new RegExp(`Balancer: option ${name}`),
        })
    t.end()
  })

t.test('pool options are options, too', (t) => {
  make(t, { members, maxConnections: 3, timeouts: { head: 1 }, reuse: false })
  t.throws(() => make(t, { members, maxConnections: 0 }), { message: /option maxConnections must/ })
  const known = Object.keys(poolChecks)
  t.ok(known.length > 10)
  for (const name of known)
    t.throws(() => make(t, { members, [name]: Symbol.iterator }), { code: 'FCGI_OPTION' }, name)
  t.end()
})

const MEMBER: Record<string, Values> = {
  address: { right: [':9000', new Stub('s')], wrong: ['', 1, {}, null, undefined] },
  name: { right: ['n'], wrong: ['', 1] },
  weight: { right: [0.01, 1, 100], wrong: [0, -1, 100.1, '1', Number.NaN] },
  lbset: { right: [0, 99], wrong: [-1, 100, 0.5] },
  route: { right: ['r'], wrong: ['', 1] },
  redirect: { right: ['r'], wrong: ['', 1] },
  status: { right: ['enabled', 'draining', 'disabled', 'stopped'], wrong: ['D', 'drain'] },
  role: { right: ['active', 'spare', 'standby'], wrong: ['R', 'backup'] },
  ignoreErrors: { right: [true], wrong: [1] },
  retry: times,
  slowStart: times,
  maxConnections: { right: [5], wrong: [0] },
}

for (const [name, { right, wrong }] of Object.entries(MEMBER))
  t.test(`member: ${name}`, (t) => {
    const member = (value: unknown) => ({ address: ':9000', [name]: value })
    for (const value of right) make(t, { members: [member(value)] })
    for (const value of wrong)
      t.throws(() => make(t, { members: [member(value)] }), { code: 'FCGI_OPTION' }, String(value))
    t.end()
  })

t.test('nobody knows these', (t) => {
  for (const name of ['loadfactor', 'lbmethod', 'toString', 'constructor', '__proto'])
    for (const options of [{ members, [name]: 1 }, { members: [{ address: ':9000', [name]: 1 }] }])
      t.throws(() => make(t, options), {
        code: 'FCGI_OPTION',
        message: new RegExp(`unknown option ${name}`),
      })
  t.throws(() => make(t, {}), { message: /option members is missing.*discover/ })
  t.throws(() => make(t, null), { code: 'FCGI_OPTION' })
  t.throws(() => make(t, { members: [':9000', ':9000'] }), { message: /already/ })
  t.end()
})

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !(value instanceof Stub)) {
    for (const item of Object.values(value)) deepFreeze(item)
    Object.freeze(value)
  }
  return value
}

t.test("the caller's object is not written to, nor looked at later", async (t) => {
  const [one, other] = [new Stub('one'), new Stub('other')]
  const options = deepFreeze({
    members: [
      { address: one, name: 'one', route: 'a', timeouts: { head: 5 } },
      { address: other, name: 'other', weight: 2 },
      { address: ':9000', status: 'disabled', timeouts: { head: 1 } },
    ],
    stickySession: { cookie: 'A' },
    failOnStatus: [503],
    timeouts: { connect: 5 },
    healthCheck: { path: '/ping', status: [200], body: /ok/, params: {}, interval: 5 },
    method: 'round-robin',
  }) as BalancerOptions
  const balancer = make(t, options)
  balancer.update('one', { weight: 3, status: 'disabled' })
  for (let n = 0; n < 5; n++) t.equal((await sent(balancer)).result, 200)
  await balancer.remove('one')

  const healthCheck: HealthCheckOptions = { path: '/ping', interval: 5 }
  const failOnStatus: number[] = []
  const member: MemberOptions = { address: one, name: 'one', weight: 1 }
  const changing: BalancerOptions = { members: [member], timeout: 0, healthCheck, failOnStatus }
  const made = make(t, changing)
  changing.timeout = 60_000
  changing.maxRequestsInFlight = 1
  healthCheck.path = '/other'
  failOnStatus.push(200)
  member.weight = 9
  made.add({ address: other, name: 'other' })
  send(made)
  send(made)
  t.equal((await sent(made)).result, 200)
  t.equal(made.members[0]?.weight, 1)
  t.equal(made.members[0]?.health.failed, false)
  made.update('one', { status: 'disabled' })
  made.update('other', { status: 'disabled' })
  t.equal((await sent(made)).result, 'FCGI_OVERLOADED')
})

t.test('upstreams that make a balancer', async (t) => {
  const client = (...args: ConstructorParameters<typeof FastCGIClient>) => {
    const made = new FastCGIClient(...args)
    t.teardown(() => made.destroy())
    return made.dispatcher as Balancer
  }
  const list = client(['fcgi://10.0.0.1:9000', '/run/php.sock'], { maxConnections: 3 })
  t.ok(list instanceof Balancer)
  t.strictSame(
    list.members.map(({ name, dispatcher }) => [name, dispatcher.stats.limit]),
    [
      ['10.0.0.1:9000', 3],
      ['unix:/run/php.sock', 3],
    ],
  )
  const full = client({ members: [{ address: ':9000', weight: 2 }], name: 'x' }, { maxQueue: 0 })
  t.equal(full.name, 'x')
  t.equal(full.members[0]?.weight, 2)
  const srv = client('srv:_php._tcp.invalid')
  t.ok(srv instanceof Balancer)
  t.throws(() => client({ members: [], maxxx: 1 } as BalancerOptions), { code: 'FCGI_OPTION' })
  t.throws(() => client(['nonsense']), { code: 'FCGI_OPTION' })
})
