/** Sessions stay with their member, and the application is told what it needs for that. */
import type { StickySession } from '@fastcgi/client'
import t from 'tap'
import {
  counts,
  hints,
  keeps,
  refuses,
  type Setup,
  type Stub,
  send,
  sent,
  setup,
  sleep,
  turn,
  until,
} from './balancer-stubs.ts'

const ROUTES = [{ route: 'r1' }, { route: 'r2' }, { route: 'r3' }]

const cookie = (value: string, name = 'ROUTE') => ({
  balance: hints({ cookies: { [name]: value } }),
})
const parameter = (value: string, name = 'ROUTE', cookies = {}) => ({
  balance: hints({ parameters: { [name]: value }, cookies }),
})

/** Who gets it. */
function placed(made: Setup, request = {}): string {
  const before = counts(made.stubs)
  send(made.balancer, request)
  const after = counts(made.stubs)
  return made.stubs
    .filter((_, at) => after[at] !== before[at])
    .map(({ name }) => name)
    .join('')
}

/** Who gets twenty of them. */
const placedAll = (made: Setup, request = {}): string =>
  [...new Set(Array.from({ length: 20 }, () => placed(made, request)))].sort().join('')

t.test('a cookie or a path parameter, the parameter first', (t) => {
  const made = setup(t, ROUTES, { stickySession: 'ROUTE', name: 'shop' })
  t.equal(placedAll(made, cookie('id.r2')), 'b')
  t.equal(placedAll(made, parameter('id.r3')), 'c')
  t.equal(placedAll(made, parameter('id.r3', 'ROUTE', { ROUTE: 'id.r1' })), 'c')
  t.equal(placedAll(made, cookie('a.b.r1')), 'abc', 'the route is all after the first separator')
  for (const nothing of [cookie('r1'), cookie('id.'), cookie('id.none'), cookie(''), {}])
    t.equal(placedAll(made, nothing), 'abc')
  t.equal(placedAll(made, cookie('id.r1', 'OTHER')), 'abc')
  t.end()
})

t.test('other names and separators', (t) => {
  const places: Array<[StickySession | string, object, string]> = [
    ['JSESSIONID|jsessionid', cookie('x.r1', 'JSESSIONID'), 'a'],
    ['JSESSIONID|jsessionid', parameter('x.r1', 'jsessionid'), 'a'],
    ['JSESSIONID|jsessionid', parameter('x.r1', 'JSESSIONID'), 'abc'],
    [{ cookie: 'C', parameter: 'p' }, parameter('x.r2', 'p'), 'b'],
    [{ cookie: 'C' }, parameter('x.r2', 'C'), 'b'],
    [{ cookie: 'C', separator: '!' }, cookie('x!r2', 'C'), 'b'],
    [{ cookie: 'C', separator: '!' }, cookie('x.r2', 'C'), 'abc'],
    [{ cookie: 'C', separator: '--' }, cookie('x--r2', 'C'), 'b'],
    [{ cookie: 'C', separator: false }, cookie('r3', 'C'), 'c'],
    [{ cookie: 'C', separator: false }, cookie('x.r3', 'C'), 'abc'],
  ]
  for (const [stickySession, request, wanted] of places) {
    const made = setup(t, ROUTES, { stickySession })
    t.equal(placedAll(made, request), wanted, JSON.stringify(stickySession))
  }
  t.end()
})

t.test('redirects: a chain, and a circle that ends', (t) => {
  const made = setup(
    t,
    [
      { route: 'r1', redirect: 'r2' },
      { route: 'r2', redirect: 'r3' },
      { route: 'r3', redirect: 'r1' },
      { route: 'r4', redirect: 'nowhere' },
    ],
    { stickySession: 'ROUTE' },
  )
  const request = cookie('id.r1')
  t.equal(placedAll(made, request), 'a')
  made.balancer.update('a', { status: 'disabled' })
  t.equal(placedAll(made, request), 'b')
  made.balancer.update('b', { status: 'stopped' })
  t.equal(placedAll(made, request), 'c')
  made.balancer.update('c', { status: 'disabled' })
  t.equal(placedAll(made, request), 'd', 'nobody on the way: anybody')
  made.balancer.update('a', { status: 'enabled' })
  t.equal(placedAll(made, cookie('id.r2')), 'a', 'by way of r3')
  made.balancer.update('d', { status: 'disabled' })
  t.equal(placedAll(made, cookie('id.r4')), 'a')
  t.end()
})

t.test('the redirect of a member that fails takes its session', async (t) => {
  const made = setup(
    t,
    [{ route: 'r1', redirect: 'r3', does: refuses }, { route: 'r2' }, { route: 'r3' }],
    { stickySession: 'ROUTE' },
  )
  for (let n = 0; n < 2; n++) t.equal((await sent(made.balancer, cookie('id.r1'))).result, 200)
  t.strictSame(counts(made.stubs), [2, 0, 2])
})

t.test('members that share a route: a standby last', (t) => {
  const made = setup(t, [{ route: 'r', role: 'standby' }, { route: 'r' }, {}], {
    stickySession: 'ROUTE',
  })
  t.equal(placedAll(made, cookie('id.r')), 'b')
  made.balancer.update('b', { status: 'disabled' })
  t.equal(placedAll(made, cookie('id.r')), 'a')
  t.end()
})

t.test('a draining member keeps its sessions and gets no new ones', (t) => {
  const made = setup(t, ROUTES, { stickySession: 'ROUTE' })
  made.balancer.drain('a')
  t.strictSame(made.told(), ['a changed'])
  t.equal(placedAll(made, cookie('id.r1')), 'a')
  t.equal(placedAll(made), 'bc')
  t.end()
})

t.test('a session moves when its member is out', async (t) => {
  const made = setup(t, [{ route: 'r1', does: refuses }, { route: 'r2' }], {
    stickySession: 'ROUTE',
    maxFailures: 1,
    retry: 60_000,
  })
  for (let n = 0; n < 3; n++) t.equal((await sent(made.balancer, cookie('id.r1'))).result, 200)
  t.strictSame(counts(made.stubs), [1, 3])
})

t.test('nofailover', async (t) => {
  const options = {
    stickySession: 'ROUTE',
    nofailover: true,
    maxFailures: 1,
    retry: 60_000,
  } as const
  t.test('refuses the session instead of moving it', async (t) => {
    const made = setup(t, [{ route: 'r1', does: refuses }, { route: 'r2' }], options)
    for (let n = 0; n < 3; n++) {
      const { error } = await sent(made.balancer, cookie('id.r1'))
      t.match(error, { name: 'OverloadedError', code: 'FCGI_OVERLOADED' })
    }
    t.strictSame(counts(made.stubs), [1, 0])
    t.equal(made.balancer.stats.retries, 0)
    t.equal((await sent(made.balancer)).result, 200, 'who has no session is served')
    t.equal((await sent(made.balancer, cookie('id.r2'))).result, 200)
  })
  t.test('disabled members, too', async (t) => {
    const made = setup(t, ROUTES, options)
    made.balancer.update('b', { status: 'disabled' })
    t.equal((await sent(made.balancer, cookie('id.r2'))).result, 'FCGI_OVERLOADED')
  })
  t.test('but a session of nobody is anybody’s', async (t) => {
    // Otherwise a cookie from before a member was renamed locks its owner out.
    const made = setup(t, ROUTES, options)
    t.equal((await sent(made.balancer, cookie('id.gone'))).result, 200)
  })
  t.test('its redirect is allowed', async (t) => {
    const made = setup(t, [{ route: 'r1', redirect: 'r2', status: 'disabled' }, { route: 'r2' }], {
      ...options,
    })
    t.equal((await sent(made.balancer, cookie('id.r1'))).result, 200)
  })
  t.test('a session waits for its member', async (t) => {
    const made = setup(t, ROUTES, { ...options, timeout: 5000 })
    made.balancer.update('b', { status: 'disabled' })
    const taken = send(made.balancer, cookie('id.r2'))
    await sleep(10)
    t.equal(taken.result, undefined)
    t.equal(made.balancer.stats.queued, 1)
    made.balancer.update('b', { status: 'enabled' })
    t.equal((await taken.done).result, 200)
    t.strictSame(counts(made.stubs), [0, 1, 0])
  })
  t.test('one whose member has failed it does not wait', async (t) => {
    const made = setup(t, [{ route: 'r1', does: refuses }, { route: 'r2' }], {
      ...options,
      timeout: 60_000,
    })
    t.equal((await sent(made.balancer, cookie('id.r1'))).result, 'FCGI_OVERLOADED')
  })
})

t.test('params for the application', async (t) => {
  const made = setup(t, [{ route: 'r1' }, {}], {
    stickySession: 'SID|sid',
    name: 'shop',
    method: 'round-robin',
  })
  const [first, second] = made.stubs as [Stub, Stub]
  const common = { BALANCER_NAME: 'balancer://shop', BALANCER_SESSION_STICKY: 'SID' }
  const ofFirst = { ...common, BALANCER_WORKER_NAME: 'a', BALANCER_WORKER_ROUTE: 'r1' }
  const ofSecond = { ...common, BALANCER_WORKER_NAME: 'b', BALANCER_WORKER_ROUTE: '' }

  t.test('a new session', (t) => {
    send(made.balancer)
    t.strictSame(first.last.balancerParams, { ...ofFirst, BALANCER_ROUTE_CHANGED: '1' })
    send(made.balancer)
    t.strictSame(second.last.balancerParams, ofSecond, 'it has no route to keep')
    t.end()
  })
  t.test('a session with its member', (t) => {
    send(made.balancer, cookie('x.r1', 'SID'))
    t.strictSame(first.last.balancerParams, { ...ofFirst, BALANCER_SESSION_ROUTE: 'r1' })
    t.end()
  })
  t.test('the name is that of what was found', (t) => {
    send(made.balancer, parameter('x.r1', 'sid'))
    t.strictSame(first.last.balancerParams, {
      ...ofFirst,
      BALANCER_SESSION_ROUTE: 'r1',
      BALANCER_SESSION_STICKY: 'sid',
    })
    t.end()
  })
  t.test('a session that has to move', (t) => {
    made.balancer.update('a', { status: 'disabled' })
    send(made.balancer, cookie('x.r1', 'SID'))
    t.strictSame(second.last.balancerParams, {
      ...ofSecond,
      BALANCER_SESSION_ROUTE: 'r1',
      BALANCER_ROUTE_CHANGED: '1',
    })
    made.balancer.update('a', { status: 'enabled' })
    t.end()
  })
  t.test('after a failure, those of the second member only', async (t) => {
    first.behaviour = refuses
    await sent(made.balancer, cookie('x.r1', 'SID'))
    t.strictSame(second.last.balancerParams, {
      ...ofSecond,
      BALANCER_SESSION_ROUTE: 'r1',
      BALANCER_ROUTE_CHANGED: '1',
    })
  })
  t.test('the request’s own stay', (t) => {
    made.balancer.update('a', { status: 'disabled' })
    send(made.balancer, {
      params: new Map([
        ['A', '1'],
        ['B', '2'],
      ]),
    })
    t.strictSame(second.last.pairs.slice(0, 2), [
      ['A', '1'],
      ['B', '2'],
    ])
    t.end()
  })
  t.test('without sticky sessions', (t) => {
    const plain = setup(t, [{}])
    send(plain.balancer)
    t.strictSame(plain.stubs[0]?.last.balancerParams, {
      BALANCER_NAME: 'balancer://default',
      BALANCER_WORKER_NAME: 'a',
      BALANCER_WORKER_ROUTE: '',
    })
    t.end()
  })
})

t.test('what a client puts into its session cannot hurt', async (t) => {
  const made = setup(t, ROUTES, { stickySession: 'ROUTE' })
  const huge = await sent(made.balancer, cookie(`x.${'y'.repeat(70_000)}`))
  t.equal(huge.result, 'FCGI_PARAMS_TOO_LARGE')
  const nul = await sent(made.balancer, cookie('x.y\0z'))
  t.equal(nul.result, 'FCGI_PROTOCOL')
  t.equal((await sent(made.balancer, cookie('x.r1'))).result, 200)
  t.strictSame(
    made.balancer.members.map(({ counters }) => counters.load),
    [0, 0, 0],
  )
})

t.test('a key or a hint that throws fails its request and nothing else', async (t) => {
  const made = setup(t, ROUTES, {
    method: 'hash',
    key() {
      throw new Error('no key')
    },
  })
  const taken = await sent(made.balancer, cookie('x.r1'))
  t.match(taken.error, { code: 'FCGI_HANDLER', message: /no key/ })
  const made2 = setup(t, ROUTES, { stickySession: 'ROUTE' })
  const bad = {
    ...hints(),
    cookie() {
      throw new URIError('bad cookie')
    },
  }
  t.equal((await sent(made2.balancer, { balance: bad })).result, 'FCGI_HANDLER')
  await made.balancer.close()
  await made2.balancer.close()
})

t.test('sessions of one that is half-open probe it one at a time', async (t) => {
  const made = setup(t, [{ route: 'r1', does: refuses }, { route: 'r2' }], {
    stickySession: 'ROUTE',
    maxFailures: 1,
    retry: 300,
  })
  await sent(made.balancer, cookie('x.r1'))
  const [first] = made.stubs as [Stub, Stub]
  first.behaviour = keeps
  await until('its time', () => made.balancer.members[0]?.state(performance.now()) === 'recovering')
  for (let n = 0; n < 5; n++) send(made.balancer, cookie('x.r1'))
  t.equal(first.open.length, 1)
  first.open[0]?.answer()
  await turn()
  t.strictSame(made.told(), ['a failed', 'a recovered'])
})
