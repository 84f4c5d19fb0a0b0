/** Passive health: what takes a member out, for how long, what brings it back. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t, { type Test } from 'tap'
import {
  answers,
  type Behaviour,
  counts,
  keeps,
  refuses,
  type Stub,
  send,
  sent,
  setup,
  sleep,
  turn,
  until,
} from './balancer-stubs.ts'

const { Health } = (await import(
  new URL('../../dist/balancer/members/health.js', import.meta.url).href
)) as typeof import('../src/balancer/members/health.ts')

/** Over before long, but not while a busy machine takes a step of a test. */
const SHORT = 300

const RULES = { retry: 1000, maxFailures: 3, failureWindow: 10_000 }

t.test('by the clock', async (t) => {
  t.test('so many failures within the window', (t) => {
    const health = new Health()
    t.notOk(health.record(0, RULES))
    t.notOk(health.record(9000, RULES))
    t.notOk(health.record(10_500, RULES), 'the first one is forgotten')
    t.ok(health.usable(10_500))
    t.ok(health.record(18_000, RULES), 'three within ten seconds')
    t.notOk(health.usable(18_001))
    t.ok(health.failed)
    t.end()
  })

  t.test('a window of 0 has no end', (t) => {
    const health = new Health()
    const rules = { ...RULES, failureWindow: 0 }
    t.notOk(health.record(0, rules))
    t.notOk(health.record(1e6, rules))
    t.ok(health.record(2e6, rules))
    t.end()
  })

  t.test('a success forgets failures', (t) => {
    const health = new Health()
    for (let n = 0; n < 10; n++) {
      t.notOk(health.record(n, RULES))
      t.notOk(health.record(n, RULES))
      health.succeeded(health.chosen())
    }
    t.end()
  })

  t.test('out times double up to a minute, a tenth more or less', (t) => {
    const health = new Health()
    let now = 0
    const times: number[] = []
    health.record(now, RULES, { certain: true })
    for (let n = 0; n < 10; n++) {
      const out = health.outFor(now)
      times.push(out)
      t.notOk(health.usable(now + out - 0.01))
      now += out + 0.01
      t.ok(health.usable(now))
      t.ok(health.record(now, RULES, { probe: health.chosen() }))
    }
    const wanted = [1, 2, 4, 8, 16, 32, 60, 60, 60, 60].map((seconds) => seconds * 1000)
    for (const [at, time] of times.entries()) {
      const length = wanted[at] ?? 0
      t.ok(time >= length * 0.9 && time <= length * 1.1, `${time} for ${length}`)
    }
    t.ok(new Set(times.slice(6)).size > 1, 'not in step with others')
    health.succeeded(health.chosen())
    t.ok(health.usable(now))
    health.record(now, RULES, { certain: true })
    t.ok(health.outFor(now) <= 1100, 'a success starts over')
    t.end()
  })

  t.test('whoever asks for more than a minute gets it', (t) => {
    const health = new Health()
    health.record(0, { ...RULES, retry: 300_000 }, { certain: true })
    t.ok(health.outFor(0) >= 270_000)
    t.end()
  })

  t.test('half-open: one at a time', (t) => {
    const health = new Health()
    health.record(0, RULES, { certain: true })
    const now = 1200
    t.ok(health.usable(now))
    t.ok(health.chosen(), 'it is a probe')
    t.notOk(health.usable(now))
    health.undecided(false)
    t.notOk(health.usable(now), 'somebody else gave up')
    t.notOk(health.record(now, RULES), 'of those from before, nothing counts')
    health.succeeded(false)
    t.ok(health.failed, 'nor does it bring it back')
    health.undecided(true)
    t.ok(health.usable(now), 'nothing was learnt: the next one')
    health.succeeded(health.chosen())
    t.notOk(health.failed)
    t.notOk(health.chosen())
    t.end()
  })
})

/** Two members, the first of which does something. */
const two = (t: Test, does: Behaviour, options = {}) =>
  setup(t, [{ does }, {}], { method: 'round-robin', ...options })

const fails =
  (code: string, retryable = true): Behaviour =>
  (call) =>
    process.nextTick(() => call.fail(code, retryable))

t.test('three failures take it out, and the event says why', async (t) => {
  const made = two(t, refuses, { retry: 60_000 })
  // Each of them asks the first one first: after a failover it is its turn again.
  for (let n = 0; n < 2; n++) t.equal((await sent(made.balancer)).result, 200)
  t.strictSame(made.told(), [])
  for (let n = 0; n < 16; n++) t.equal((await sent(made.balancer)).result, 200)
  t.equal(counts(made.stubs)[0], 3)
  t.strictSame(made.told(), ['a failed'])
  t.match(made.events[0], { balancer: 'default', error: { code: 'FCGI_CONNECT' } })
  const [member] = made.balancer.members
  t.match(member?.counters, { died: 3, disabled: 1, overloaded: 0, connected: 0, load: 0 })
  t.match(member?.lastError, { message: 'stub says FCGI_CONNECT' })
  t.equal(member?.state(performance.now()), 'failed')
})

t.test('what counts as a failure', async (t) => {
  const counted: Record<string, boolean> = {
    FCGI_CONNECT: true,
    FCGI_CONNECT_TIMEOUT: true,
    FCGI_PREMATURE_CLOSE: true,
    FCGI_TIMEOUT: true,
    FCGI_PROTOCOL: true,
    FCGI_OVERLOADED: false,
    FCGI_ABORTED: false,
    FCGI_BODY_TRUNCATED: false,
    FCGI_BODY_TIMEOUT: false,
    FCGI_BODY_CONSUMED: false,
    FCGI_BODY_TOO_LARGE: false,
    FCGI_PARAMS_TOO_LARGE: false,
    FCGI_CLOSED: false,
    FCGI_HANDLER: false,
  }
  for (const [code, counts] of Object.entries(counted)) {
    const made = two(t, fails(code, false), { maxFailures: 1, retry: 60_000 })
    for (let n = 0; n < 6; n++) await sent(made.balancer)
    t.strictSame(made.told(), counts ? ['a failed'] : [], code)
    t.equal(made.stubs[0]?.calls.length, counts ? 1 : 3, code)
  }
})

t.test('OVERLOADED is counted as such, and others are asked', async (t) => {
  const made = two(t, fails('FCGI_OVERLOADED'))
  for (let n = 0; n < 10; n++) t.equal((await sent(made.balancer)).result, 200)
  t.match(made.balancer.members[0]?.counters, { overloaded: 10, died: 0, disabled: 0 })
})

t.test('clients that go away say nothing', async (t) => {
  const made = two(t, keeps, { maxFailures: 1 })
  for (let n = 0; n < 10; n++) {
    const taken = send(made.balancer)
    taken.control.abort()
    await taken.done
  }
  t.strictSame(made.told(), [])
})

t.test('a success in between forgets', async (t) => {
  let n = 0
  const made = two(t, (call) => (++n % 3 === 0 ? call.answer() : call.fail('FCGI_CONNECT')))
  for (let n = 0; n < 30; n++) await sent(made.balancer)
  t.strictSame(made.told(), [])
})

t.test('the only member is never put out', async (t) => {
  const made = setup(t, [{ does: refuses }], { maxFailures: 1, forceRecovery: false })
  for (let n = 0; n < 10; n++) t.equal((await sent(made.balancer)).result, 'FCGI_CONNECT')
  t.strictSame(made.told(), [])
  t.equal(made.stubs[0]?.calls.length, 10)
})

t.test('it comes back with one probe', async (t) => {
  const made = two(t, refuses, { maxFailures: 1, retry: SHORT })
  const [first] = made.stubs as [Stub, Stub]
  await sent(made.balancer)
  await sent(made.balancer)
  t.strictSame(made.told(), ['a failed'])
  first.behaviour = keeps
  const [member] = made.balancer.members
  await until('the end of its time', () => member?.state(performance.now()) === 'recovering')
  for (let n = 0; n < 10; n++) send(made.balancer)
  t.equal(first.open.length, 1, 'one at a time')
  t.equal(member?.state(performance.now()), 'failed')
  first.open[0]?.answer()
  t.strictSame(made.told(), ['a failed', 'a recovered'])
  for (let n = 0; n < 10; n++) send(made.balancer)
  t.equal(first.open.length, 5, 'all its share again')
  for (const call of first.open) call.answer()
})

t.test('a probe that gives a head has shown enough', async (t) => {
  // A stream of events may go on for hours.
  const made = two(t, refuses, { maxFailures: 1, retry: SHORT })
  const [first] = made.stubs as [Stub, Stub]
  await sent(made.balancer)
  await sent(made.balancer)
  first.behaviour = keeps
  const [member] = made.balancer.members
  await until('the end of its time', () => member?.state(performance.now()) === 'recovering')
  for (let n = 0; n < 2; n++) send(made.balancer)
  first.last.head()
  t.equal(member?.state(performance.now()), 'ok')
  t.strictSame(made.told(), ['a failed', 'a recovered'])
  first.last.data('x')
  first.last.end()
  t.strictSame(made.told(), ['a failed', 'a recovered'], 'once')
})

t.test('a probe whose client goes away is followed by another', async (t) => {
  const made = two(t, refuses, { maxFailures: 1, retry: SHORT })
  const [first] = made.stubs as [Stub, Stub]
  await sent(made.balancer)
  await sent(made.balancer)
  first.behaviour = keeps
  const [member] = made.balancer.members
  await until('the end of its time', () => member?.state(performance.now()) === 'recovering')
  const probes = [send(made.balancer), send(made.balancer)]
  t.equal(first.open.length, 1)
  for (const probe of probes) probe.control.abort()
  t.equal(member?.state(performance.now()), 'recovering')
  first.behaviour = answers
  for (let n = 0; n < 2; n++) send(made.balancer)
  t.strictSame(made.told(), ['a failed', 'a recovered'])
})

t.test('an old request that ends well does not bring it back', async (t) => {
  const made = two(t, keeps, { maxFailures: 2, retry: 60_000, forceRecovery: false })
  const [first] = made.stubs as [Stub, Stub]
  for (let n = 0; n < 8; n++) send(made.balancer)
  t.equal(first.open.length, 4)
  const [stream, old, ...rest] = first.open
  for (const call of rest) call.fail('FCGI_PREMATURE_CLOSE', false)
  t.strictSame(made.told(), ['a failed'])
  old?.fail('FCGI_PREMATURE_CLOSE', false)
  stream?.answer()
  await turn()
  t.strictSame(made.told(), ['a failed'])
  t.equal(made.balancer.members[0]?.state(performance.now()), 'failed')
})

t.test('failOnStatus takes it out at once; the answer is passed on', async (t) => {
  const made = two(t, (call) => call.answer(503), { failOnStatus: [500, 503], retry: SHORT })
  t.equal((await sent(made.balancer)).result, 503)
  t.strictSame(made.told(), ['a failed'])
  t.match(made.balancer.members[0]?.lastError?.message, /answered 503 .*failOnStatus/)
  for (let n = 0; n < 5; n++) t.equal((await sent(made.balancer)).result, 200)
  const [member] = made.balancer.members
  await until('the end of its time', () => member?.state(performance.now()) === 'recovering')
  const results = [await sent(made.balancer), await sent(made.balancer)].map(({ result }) => result)
  t.ok(results.includes(503), 'its probe')
  t.equal(member?.counters.disabled, 2)
  if (made.stubs[0] !== undefined) made.stubs[0].behaviour = answers
  await until('the end of its time', () => member?.state(performance.now()) === 'recovering')
  for (let n = 0; n < 2; n++) await sent(made.balancer)
  t.equal(made.told().at(-1), 'a recovered')
})

t.test('a status that is not listed is nobody’s failure', async (t) => {
  const made = two(t, (call) => call.answer(500), { maxFailures: 1 })
  for (let n = 0; n < 10; n++) await sent(made.balancer)
  t.strictSame(made.told(), [])
})

t.test(
  'when the last healthy one fails a request, those that are out are tried for it',
  async (t) => {
    const made = setup(t, [{ does: refuses }, { does: answers }], { maxFailures: 1, retry: 60_000 })
    while (made.told().length === 0) t.equal((await sent(made.balancer)).result, 200)
    t.strictSame(made.told(), ['a failed'])
    const [first, second] = made.stubs
    if (first !== undefined) first.behaviour = answers
    if (second !== undefined) second.behaviour = refuses
    t.equal((await sent(made.balancer)).result, 200, 'a answers although it is out')
  },
)

t.test('forceRecovery: when all are out, all are tried', async (t) => {
  const made = setup(t, [{ does: refuses }, { does: refuses }], { maxFailures: 1, retry: 60_000 })
  t.equal((await sent(made.balancer)).result, 'FCGI_CONNECT')
  t.strictSame(made.told(), ['a failed', 'b failed'])
  for (const stub of made.stubs) stub.behaviour = answers
  for (let n = 0; n < 4; n++) t.equal((await sent(made.balancer)).result, 200)
  t.strictSame(made.told().slice(2).sort(), ['a recovered', 'b recovered'])
})

t.test('forceRecovery: false keeps them out', async (t) => {
  const made = setup(t, [{ does: refuses }, { does: refuses }], {
    maxFailures: 1,
    retry: SHORT,
    forceRecovery: false,
  })
  await sent(made.balancer)
  for (const stub of made.stubs) stub.behaviour = answers
  t.match((await sent(made.balancer)).error, {
    code: 'FCGI_OVERLOADED',
    message: /waited 0 ms, option timeout.*a failed, b failed/,
  })
  const [member] = made.balancer.members
  await until('the end of its time', () => member?.state(performance.now()) === 'recovering')
  t.equal((await sent(made.balancer)).result, 200)
})

t.test('a member has its own retry', async (t) => {
  const made = setup(t, [{ does: refuses, retry: 20 }, { does: refuses }, {}], {
    maxFailures: 1,
    retry: 60_000,
  })
  for (let n = 0; n < 3; n++) await sent(made.balancer)
  const [short, long] = made.balancer.members
  await until('the short one', () => short?.state(performance.now()) === 'recovering')
  t.equal(long?.state(performance.now()), 'failed')
})

t.test('active checks', async (t) => {
  const isCheck = (path: string | undefined) => path === '/ping'
  const pong: Behaviour = (call) => call.answer(200, 'pong')

  t.test('ask on an interval, take out and bring back', async (t) => {
    let does = pong
    const stubbed: Behaviour = (call) => {
      const script = call.pairs.find(([name]) => name === 'SCRIPT_NAME')?.[1]
      if (isCheck(script)) does(call)
      else call.answer()
    }
    const made = setup(t, [{ does: stubbed }, { does: pong }], {
      healthCheck: { path: '/ping', interval: 10, timeout: 50, body: /pong/g, params: { X: 'y' } },
    })
    const [first] = made.stubs as [Stub, Stub]
    await until('some checks', () => first.calls.length > 3)
    t.strictSame(Object.fromEntries(first.last.pairs), {
      REQUEST_METHOD: 'GET',
      SCRIPT_NAME: '/ping',
      SCRIPT_FILENAME: '/ping',
      X: 'y',
    })
    t.strictSame(made.told(), [])
    const failures: Behaviour[] = [
      (call) => call.answer(500, 'pong'),
      (call) => call.answer(200, 'no'),
      (call) => process.nextTick(() => call.fail()),
      keeps,
    ]
    for (const failure of failures) {
      does = failure
      await until('its failure', () => made.told().at(-1) === 'a failed')
      t.equal(made.balancer.members[0]?.state(performance.now()), 'failed')
      t.ok(first.open.length <= 1, 'one at a time')
      does = pong
      await until('its recovery', () => made.told().at(-1) === 'a recovered')
    }
    t.equal(made.told().length, 8)
    t.equal(made.balancer.members[0]?.counters.disabled, 4)
    t.equal(made.balancer.members[0]?.counters.connected, 0, 'checks are no requests')
  })

  t.test('end in time, whatever the garbage collector does', async (t) => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const made = setup(t, [{ does: keeps }, { does: pong }], {
      healthCheck: { path: '/ping', interval: 60_000, timeout: 100 },
    })
    const collecting = setInterval(collect, 20)
    t.teardown(() => clearInterval(collecting))
    await until('its failure', () => made.told().includes('a failed'))
    t.match(made.events[0]?.error, { message: 'health check /ping: not done within 100 ms' })
    t.ok(made.stubs[0]?.last.aborted)
  })

  t.test('passes and fails', async (t) => {
    const script: boolean[] = [true, false, false, true, false, false, false, true, true, true]
    let asked = 0
    const made = setup(
      t,
      [{ does: (call) => call.answer((script[asked++] ?? true) ? 200 : 500) }, { does: answers }],
      { healthCheck: { path: '/ping', interval: 5, fails: 3, passes: 2, status: [200, 204] } },
    )
    const at: number[] = []
    made.balancer.onMember(() => at.push(asked))
    await until('all of it', () => asked > 12)
    t.strictSame(made.told(), ['a failed', 'a recovered'])
    t.strictSame(at, [7, 9])
  })

  t.test('no room is no failure', async (t) => {
    const made = setup(t, [{ does: fails('FCGI_OVERLOADED') }, {}], {
      healthCheck: { path: '/ping', interval: 5 },
    })
    await until('some checks', () => (made.stubs[0]?.calls.length ?? 0) > 5)
    t.strictSame(made.told(), [])
  })

  t.test('a request that ends well does not contradict a check', async (t) => {
    const made = setup(
      t,
      [
        {
          does(call) {
            if (call.pairs.some(([name]) => name === 'SCRIPT_NAME')) call.answer(500)
          },
        },
        {},
      ],
      { healthCheck: { path: '/ping', interval: 20 }, method: 'round-robin' },
    )
    const [first] = made.stubs as [Stub, Stub]
    send(made.balancer)
    t.equal(first.open.length, 1)
    await until('the check', () => made.told().length > 0)
    first.open[0]?.answer()
    t.strictSame(made.told(), ['a failed'])
  })

  t.test('they end with the balancer', async (t) => {
    const made = setup(t, [{}], { healthCheck: { path: '/ping', interval: 5 } })
    await until('some checks', () => (made.stubs[0]?.calls.length ?? 0) > 2)
    await made.balancer.close()
    const before = counts(made.stubs)
    await sleep(30)
    t.strictSame(counts(made.stubs), before)
  })
})
