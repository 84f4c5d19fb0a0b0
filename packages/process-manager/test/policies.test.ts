/** When processes are started and ended, in imagined time. */
import t from 'tap'
import { Clock, group, ImaginedFleet } from './fleet.ts'
import { AdaptivePolicy, type Policy, StartThrottle, StaticPolicy } from './internals.ts'

const MINUTES = 60

t.test('static: so many, as soon as they may be started', async (t) => {
  const fleet = new ImaginedFleet()
  const policy = new StaticPolicy(fleet, 3)
  const clock = new Clock()
  fleet.open = false
  t.same(clock.run(2, [policy], [fleet]), [0, 0])
  fleet.open = true
  t.same(clock.run(2, [policy], [fleet]), [3, 3])
  t.ok(policy.replaces())
})

t.test('adaptive', async (t) => {
  const rules = { minProcesses: 1, maxProcesses: 4, maxLoadPerProcess: 1, idleTimeout: 60_000 }
  const start = (own: Partial<typeof rules> = {}) => {
    const fleet = new ImaginedFleet()
    return {
      fleet,
      clock: new Clock(),
      policies: [new AdaptivePolicy(fleet, { ...rules, ...own })],
    }
  }

  t.test('one more a second under load, one less a second when idle for long', async (t) => {
    const { fleet, clock, policies } = start()
    t.same(clock.run(2, policies, [fleet]), [1, 1])
    fleet.ask(10, clock.now)
    t.same(clock.run(5, policies, [fleet]), [2, 3, 4, 4, 4])
    fleet.ask(0, clock.now)
    t.same(clock.run(59, policies, [fleet]).at(-1), 4)
    t.same(clock.run(4, policies, [fleet]), [3, 2, 1, 1])
  })

  t.test('what each can carry: no more are started for less', async (t) => {
    const { fleet, clock, policies } = start({ maxLoadPerProcess: 2 })
    clock.run(1, policies, [fleet])
    fleet.ask(2, clock.now)
    t.same(clock.run(3, policies, [fleet]), [1, 1, 1])
    fleet.ask(5, clock.now)
    t.same(clock.run(3, policies, [fleet]), [2, 3, 3])
  })

  t.test('none without requests, one at once with the first', async (t) => {
    const { fleet, clock, policies } = start({ minProcesses: 0 })
    t.same(clock.run(2, policies, [fleet]), [0, 0])
    fleet.ask(1, clock.now)
    policies[0]?.demand(clock.now)
    t.equal(fleet.workers.length, 1)
  })
})

t.test('dynamic, as the documentation of mod_fastcgi has it', async (t) => {
  t.test('"not started at server initialization, but upon demand"', async (t) => {
    const { fleets, policies, clock } = group({}, 1)
    const [fleet] = fleets as [ImaginedFleet]
    t.same(clock.run(3, policies, fleets), [0, 0, 0])
    fleet.ask(1, clock.now)
    policies[0]?.demand(clock.now)
    t.equal(fleet.workers.length, 1, 'the first one at once')
  })

  t.test(
    '"if the demand is heavy, additional instances are started": after startDelay',
    async (t) => {
      const { fleets, policies, clock } = group({ startDelay: 3000 }, 1)
      fleets[0]?.ask(2, clock.now)
      t.same(clock.run(6, policies, fleets), [1, 1, 1, 2, 2, 2], 'one for each that waits')
      fleets[0]?.ask(40, clock.now)
      const counts = clock.run(60, policies, fleets)
      t.equal(counts.at(2), 3)
      t.equal(counts.at(-1), 10, 'maxClassProcesses')
    },
  )

  t.test('maxProcesses is the number of all applications together', async (t) => {
    const options = { maxProcesses: 12, maxClassProcesses: 5, processSlack: 0, startDelay: 1000 }
    const { fleets, policies, clock, group: made } = group(options, 4)
    for (const fleet of fleets) fleet.ask(20, clock.now)
    t.equal(clock.run(60, policies, fleets).at(-1), 12)
    t.equal(made.total, 12)
    t.ok(fleets.every(({ workers }) => workers.length <= 5))
    policies[0]?.end()
    t.ok(made.total < 12, 'an application that ends makes room')
  })

  t.test('singleThreshold: "0 will prevent the last instance from being terminated"', async (t) => {
    for (const [singleThreshold, left] of [
      [0, 1],
      [1, 0],
    ]) {
      const { fleets, policies, clock } = group({ singleThreshold, minProcesses: 0 }, 1)
      fleets[0]?.ask(1, clock.now)
      clock.run(60, policies, fleets)
      fleets[0]?.ask(0, clock.now)
      t.equal(clock.run(120 * MINUTES, policies, fleets).at(-1), left)
    }
  })

  t.test('multiThreshold: the load the others would have decides', async (t) => {
    // Busy for so many of ten seconds; two processes of 50 %, say, are one of 100 %.
    const cases = [
      { processes: 2, busy: 4, left: 1 },
      { processes: 2, busy: 6, left: 2 },
      { processes: 3, busy: 9, left: 2 },
      // mod_fastcgi divides whole numbers here (3/2 is 1), takes 40 for 60, and ends one too many.
      { processes: 3, busy: 12, left: 3 },
    ]
    for (const { processes, busy, left } of cases) {
      const options = { minProcesses: 1, startDelay: 0, updateInterval: 10_000, gainValue: 1 }
      const { fleets, policies, clock } = group({ ...options, killInterval: 600_000 }, 1)
      const [fleet] = fleets as [ImaginedFleet]
      fleet.ask(processes, clock.now)
      clock.run(processes + 1, policies, fleets)
      t.equal(fleet.workers.length, processes)
      while (clock.now < 620_000 && fleet.workers.length === processes)
        for (let second = 0; second < 10; second++) {
          // The first one has all it can carry, the next one what is left.
          const shares = Array.from({ length: processes }, (_, at) => busy - at * 10)
          fleet.ask(shares.filter((share) => second < share).length, clock.now)
          clock.run(1, policies, fleets)
        }
      t.equal(fleet.workers.length, left, `${processes} processes, ${busy * 10} % busy in all`)
    }
  })

  t.test('gainValue: "old values are scaled by (1 - gainValue)"', async (t) => {
    const { fleets, policies, clock } = group({ gainValue: 0.25, updateInterval: 100_000 }, 1)
    const [policy] = policies as [Policy & { loadFactor(now: number): number }]
    fleets[0]?.ask(1, clock.now)
    policy.demand(clock.now)
    clock.run(101, policies, fleets)
    const factors = [policy.loadFactor(clock.now)]
    fleets[0]?.ask(0, clock.now)
    for (let n = 0; n < 2; n++) {
      clock.run(100, policies, fleets)
      factors.push(policy.loadFactor(clock.now))
    }
    t.same(factors.map(Math.round), [25, 19, 14])
  })

  t.test('minProcesses are kept without demand, however little they do', async (t) => {
    const { fleets, policies, clock } = group({ minProcesses: 5, startDelay: 0 }, 1)
    fleets[0]?.ask(10, clock.now)
    t.equal(clock.run(20, policies, fleets).at(-1), 10)
    fleets[0]?.ask(0, clock.now)
    const counts = clock.run(120 * MINUTES, policies, fleets)
    t.equal(counts.at(-1), 5)
    t.equal(counts.at(1), 10, 'not before killInterval')
  })

  t.test('processSlack: hardly any room is left, so the idle ones go at once', async (t) => {
    const options = { maxProcesses: 10, processSlack: 3, minProcesses: 1, startDelay: 0 }
    const { fleets, policies, clock } = group(options, 2)
    const [first, second] = fleets as [ImaginedFleet, ImaginedFleet]
    first.ask(4, clock.now)
    clock.run(10, policies, fleets)
    first.ask(0, clock.now)
    t.equal(clock.run(20, policies, fleets).at(-1), 4, 'with room they may stay')
    second.ask(4, clock.now)
    clock.run(20, policies, fleets)
    t.equal(second.workers.length, 4)
    t.ok(first.workers.length < 4, 'they make room', { left: first.workers.length })
  })

  t.test('the youngest one goes', async (t) => {
    const { fleets, policies, clock } = group({ minProcesses: 1, startDelay: 1000 }, 1)
    fleets[0]?.ask(3, clock.now)
    clock.run(10, policies, fleets)
    const starts = fleets[0]?.workers.map(({ startedAt }) => startedAt) ?? []
    fleets[0]?.ask(0, clock.now)
    clock.run(30 * MINUTES, policies, fleets)
    t.same(
      fleets[0]?.workers.map(({ startedAt }) => startedAt),
      [Math.min(...starts)],
    )
  })

  t.test('a step from 1 client to 40 and back', async (t) => {
    const options = {
      maxClassProcesses: 20,
      minProcesses: 1,
      startDelay: 1000,
      updateInterval: 10_000,
      killInterval: 10_000,
    }
    const { fleets, policies, clock } = group(options, 1)
    const [fleet] = fleets as [ImaginedFleet]
    fleet.ask(1, clock.now)
    t.same(new Set(clock.run(60, policies, fleets)), new Set([1]))
    fleet.ask(40, clock.now)
    const rising = clock.run(60, policies, fleets)
    t.same(
      rising,
      rising.toSorted((a, b) => a - b),
      'rises',
    )
    t.equal(rising.at(-1), 20)
    fleet.ask(1, clock.now)
    const falling = clock.run(600, policies, fleets)
    t.same(
      falling,
      falling.toSorted((a, b) => b - a),
      'falls',
    )
    t.ok((falling.at(-1) ?? 0) <= 3, 'to what one client needs', { left: falling.at(-1) })
  })
})

t.test('who is started again', async (t) => {
  t.ok(
    group({}, 1).policies[0]?.replaces(0),
    'the last one, which nothing but singleThreshold ends',
  )
  t.notOk(group({ singleThreshold: 1 }, 1).policies[0]?.replaces(0))
  t.ok(group({ singleThreshold: 1, restart: true }, 1).policies[0]?.replaces(0), 'restart')
})

t.test('StartThrottle', async (t) => {
  const gate = new StartThrottle({ restartDelay: 100, maxRestartDelay: 1000, initStartDelay: 10 })
  t.equal(gate.wait(0), 0)
  gate.started(0)
  t.equal(gate.wait(4), 6, 'not all at once')
  const waits = Array.from({ length: 6 }, () => {
    gate.failed(20, { startedAt: 20, killed: false })
    return gate.wait(20)
  })
  t.same(waits, [100, 200, 400, 800, 1000, 1000], 'twice as long each time, up to a bound')
  t.equal(gate.failures, 6)
  gate.succeeded()
  t.equal(gate.failures, 0)
  t.equal(gate.wait(20), 0)
})

t.test('StartThrottle: processes that fail together count once', async (t) => {
  const times = { restartDelay: 100, maxRestartDelay: 10_000, initStartDelay: 0 }
  const gate = new StartThrottle(times)
  for (let n = 0; n < 8; n++) gate.failed(50 + n, { startedAt: 40, killed: false })
  t.equal(gate.failures, 1)
  t.equal(gate.wait(60), 90, 'counted from the first of them')
  gate.failed(200, { startedAt: 150, killed: false })
  t.equal(gate.wait(200), 200, 'a process that was started afterwards is another failure')
})

t.test('StartThrottle: being killed again and again', async (t) => {
  const gate = new StartThrottle({ restartDelay: 100, maxRestartDelay: 10_000, initStartDelay: 0 })
  const waits = Array.from({ length: 5 }, (_, at) => {
    gate.failed(at, { startedAt: at, killed: true })
    return gate.wait(at)
  })
  t.same(waits, [100, 100, 100, 200, 400])
  gate.succeeded()
  gate.failed(9, { startedAt: 9, killed: true })
  gate.failed(10, { startedAt: 10, killed: false })
  t.equal(gate.wait(10), 200, 'a failure of its own doubles the delay')
})
