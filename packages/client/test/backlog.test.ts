import t from 'tap'
import { Backlog } from './internals.ts'
import {
  Application,
  Clients,
  SimulatedPool,
  SimulatedRequest,
  WithoutReuse,
} from './simulation.ts'
import { VirtualClock } from './virtual-clock.ts'

/** About 2 ms, and not always the same. */
const short = (client: number): number => 1.5 + ((client * 7919) % 10) / 10

function run(workers: number, count: number, options = {}, service = short) {
  const clock = new VirtualClock()
  const application = new Application(clock, workers)
  const pool = new SimulatedPool(clock, application, options)
  const clients = new Clients(clock, pool, count, service)
  return { clock, application, pool, clients }
}

for (const workers of [1, 2, 4, 8, 32])
  for (const count of [2, 16, 64])
    t.test(`${workers} workers, ${count} clients`, (t) => {
      const { clock, pool, clients } = run(workers, count)
      clock.runUntil(1000)
      clients.reset()
      clock.runUntil(4000)
      const used = Math.min(workers, count)
      const best = (3000 * used) / 2
      const mean = clients.total / count
      t.ok(clients.total > 0.8 * best, `${clients.total} answers of ${best} at best`)
      t.ok(
        clients.counts.every((n) => n > 0.5 * mean && n < 1.5 * mean),
        `all get their share: ${Math.min(...clients.counts)} to ${Math.max(...clients.counts)}`,
      )
      const fair = (2 * count) / used
      t.ok(clients.longest < 20 * fair + 50, `longest wait ${clients.longest.toFixed(1)} ms`)
      if (count > workers) t.ok(pool.limit >= 0.8 * workers, `limit ${pool.limit}`)
      t.end()
    })

t.test('a fixed number stays, and even too high a one starves nobody', (t) => {
  for (const most of [1, 2, 16]) {
    const { clock, pool, clients } = run(2, 16, { most })
    clock.runUntil(3000)
    t.equal(pool.limit, most)
    t.ok(pool.connections <= most)
    const least = Math.min(...clients.counts)
    t.ok(least > 40, `${most} connections: the least any client got is ${least}`)
    t.ok(clients.longest < 500, `longest wait ${clients.longest.toFixed(1)} ms`)
  }
  t.end()
})

t.test('more workers are found', (t) => {
  const { clock, application, pool, clients } = run(2, 32)
  clock.runUntil(2000)
  t.ok(pool.limit <= 4, `${pool.limit} with 2 workers`)
  application.workers = 12
  application.accept()
  clock.runUntil(5000)
  t.ok(pool.limit >= 11, `${pool.limit} with 12 workers`)
  clients.reset()
  clock.runUntil(6000)
  t.ok(clients.total > 0.75 * 6000, `${clients.total} answers a second of 6000`)
  t.end()
})

t.test('fewer workers are found, and nobody starves meanwhile', (t) => {
  const { clock, application, pool, clients } = run(12, 32)
  clock.runUntil(2000)
  application.workers = 2
  clock.runUntil(3500)
  clients.reset()
  clock.runUntil(6000)
  t.ok(pool.limit <= 4, `${pool.limit} with 2 workers`)
  t.ok(Math.min(...clients.counts) > 20)
  t.ok(clients.longest < 500, `longest wait ${clients.longest.toFixed(1)} ms`)
  t.end()
})

t.test('a few slow scripts do not look like starvation', (t) => {
  const service = (client: number) => (client < 2 ? 700 : short(client))
  const { clock, pool, clients } = run(8, 8, {}, service)
  clock.runUntil(1000)
  const before = pool.opened
  clients.reset()
  clock.runUntil(4000)
  t.ok(clients.total > 0.9 * (6 * 1500), `${clients.total} answers`)
  const reconnects = (pool.opened - before) / clients.total
  t.ok(reconnects < 0.25, `${reconnects.toFixed(3)} connections per request`)
  t.end()
})

t.test('where requests are rare, no worker is held for them: idle connections kept', (t) => {
  const clock = new VirtualClock()
  const application = new Application(clock, 1)
  // Neither pool sees the other.
  const pools = [new SimulatedPool(clock, application), new SimulatedPool(clock, application)]
  const waits: number[] = []
  for (let n = 0; n < 30; n++)
    pools.forEach((pool, which) => {
      const at = n * 100 + which * 5
      const done = () => waits.push(clock.now() - at - 1)
      clock.set(() => pool.dispatch(new SimulatedRequest({ script: 'x', service: 1 }, done)), at)
    })
  clock.runUntil(5000)
  t.equal(waits.length, 60)
  const longest = Math.max(...waits)
  t.ok(longest < 3, `longest wait ${longest.toFixed(1)} ms`)
  t.end()
})

t.test('all scripts slow', (t) => {
  const { clock, clients, pool } = run(4, 16, {}, () => 300)
  clock.runUntil(30_000)
  t.ok(clients.total > 0.8 * 400, `${clients.total} of 400`)
  t.ok(Math.min(...clients.counts) > 10, `${clients.counts}`)
  t.ok(clients.longest < 6000, `${clients.longest} ms, limit ${pool.limit}`)
  t.end()
})

/** Mean time of a request of each group of clients, in front of one application. */
function meanTimes(
  workers: number,
  counts: readonly number[],
  milliseconds: number,
  reuse: boolean,
) {
  const clock = new VirtualClock()
  const application = new Application(clock, workers)
  const plain = new WithoutReuse(clock, application)
  const groups = counts.map((count) => {
    const pool = reuse ? new SimulatedPool(clock, application) : plain
    return new Clients(clock, pool, count, (client) => (milliseconds * short(client)) / 2)
  })
  clock.runUntil(500)
  for (const clients of groups) clients.reset()
  clock.runUntil(4500)
  return groups.map(({ times }) => times.reduce((sum, time) => sum + time, 0) / times.length)
}

t.test('pools that cannot see each other share the workers: no turns', (t) => {
  // Nobody takes more than 1.5 times as long as without reuse, and 2 ms.
  for (const [workers, ...counts] of [
    [2, 4, 4],
    [2, 8, 8],
    [4, 3, 1],
    [4, 4, 1],
    [4, 8, 8],
    [4, 12, 4],
    [4, 14, 2],
    [4, 30, 2],
    [8, 8, 8],
    [8, 8, 8, 8],
    [16, 60, 20],
  ] as const)
    for (const milliseconds of [0.1, 0.5, 2]) {
      const reused = meanTimes(workers, counts, milliseconds, true)
      const plain = meanTimes(workers, counts, milliseconds, false)
      const text = [reused, plain].map((times) => times.map((time) => time.toFixed(1)).join(', '))
      t.ok(
        reused.every((time, n) => time < 1.5 * (plain[n] ?? 0) + 2),
        `${workers} workers, ${counts.join(', ')} clients, ${milliseconds} ms: ${text[0]} ms; without reuse ${text[1]} ms`,
      )
    }
  t.end()
})

t.test('more requests at once than workers, and then none: idle connections yield', (t) => {
  for (const count of [3, 8, 30]) {
    const clock = new VirtualClock()
    const pool = new SimulatedPool(clock, new Application(clock, 2))
    const ends: number[] = []
    for (let n = 0; n < count; n++)
      pool.dispatch(new SimulatedRequest({ service: 2 }, () => ends.push(clock.now())))
    clock.runUntil(1000)
    t.equal(ends.length, count)
    t.ok(
      (ends.at(-1) ?? 0) < 30 + 2 * count,
      `${count} requests took ${ends.at(-1)?.toFixed(1)} ms`,
    )
  }
  t.end()
})

/** A connection, as far as a backlog is concerned. */
const connection = () => ({ requests: 1, takenAt: 0 })

/** A backlog that knows that requests take 1 ms, and four connections, of which the first is served. */
function learned(most: number | 'auto' = 'auto', least = 1) {
  const backlog = new Backlog<ReturnType<typeof connection>>({ most, least, fairness: 5 })
  const [a, b, c, d] = [connection(), connection(), connection(), connection()]
  backlog.opened(a, 0, 0)
  backlog.answered(a, 1, 1)
  return { backlog, a, b, c, d }
}

/** The same after b was served only when a worker was freed for it: as many as are served are known to be all. */
function starved() {
  const known = learned()
  const { backlog, a, b } = known
  backlog.opened(b, 1, 1)
  backlog.mustYield(10, 20)
  backlog.closed(a, 10)
  backlog.answered(b, 11, 11)
  return known
}

t.test('rules', (t) => {
  // Each says what would make it fail.
  t.test('nobody yields while nobody waits: idle connections counted as waiting', (t) => {
    const { backlog } = learned()
    t.notOk(backlog.mustYield(1000))
    t.equal(backlog.limit, 64)
    t.end()
  })
  t.test('one yields for one that waits, not a second soon after: no pause between', (t) => {
    const { backlog, b } = learned()
    backlog.opened(b, 1, 1)
    t.notOk(
      backlog.mustYield(8, 8),
      'nothing overtakes by more than 5 ms and 3 times the usual 1 ms',
    )
    t.ok(backlog.mustYield(10, 10))
    t.notOk(backlog.mustYield(11, 11))
    t.ok(backlog.mustYield(100, 100), 'others may have taken the first worker')
    t.notOk(backlog.mustYield(150, 150), 'the pause doubles')
    t.end()
  })
  t.test('requests that came earlier than the waiting one are served: order not looked at', (t) => {
    const { backlog, b } = learned()
    backlog.opened(b, 1, 1)
    t.notOk(backlog.mustYield(100, 2))
    t.ok(backlog.mustYield(100, 50))
    t.end()
  })
  t.test('a connection with nothing to do yields sooner: the same patience', (t) => {
    const { backlog, b } = learned()
    backlog.opened(b, 1, 1)
    t.notOk(backlog.mustYield(4))
    t.equal(backlog.yieldsIn(2), 4)
    t.ok(backlog.mustYield(6))
    t.end()
  })
  t.test('a slow script proves nothing: room taken when a connection is silent', (t) => {
    const { backlog, a, b, c } = learned()
    backlog.opened(b, 1, 1)
    t.ok(backlog.mustYield(10, 10))
    backlog.closed(a, 10)
    t.ok(backlog.hasRoom(1, 10), 'it counts no more')
    backlog.answered(b, 300, 301)
    t.equal(backlog.limit, 64)
    backlog.opened(c, 301, 301)
    t.ok(backlog.hasRoom(1, 301))
    t.end()
  })
  t.test('one starved connection leaves room for one, after a rest: no evidence', (t) => {
    const { backlog, c } = starved()
    t.equal(backlog.limit, 2)
    t.notOk(backlog.hasRoom(1, 12), 'not at once')
    t.ok(backlog.hasRoom(1, 40))
    backlog.opened(c, 40, 40)
    t.notOk(backlog.hasRoom(1, 41))
    t.ok(backlog.hasRoom(100, 41), 'more of a long queue may wait')
    t.end()
  })
  t.test('each connection that is taken with no worker freed doubles the room: none found', (t) => {
    const { backlog, c, d } = starved()
    backlog.opened(c, 40, 40)
    backlog.answered(c, 1, 41)
    t.equal(backlog.limit, 4, 'two are served, two may wait')
    backlog.opened(d, 41, 41)
    t.ok(backlog.hasRoom(1, 41))
    t.end()
  })
  t.test('a worker of this pool that was freed is no further one: it counts twice', (t) => {
    const { backlog, b, c } = starved()
    backlog.closed(b, 50)
    t.ok(backlog.hasRoom(1, 12), 'the worker is there, whatever rests')
    backlog.opened(c, 50, 50)
    backlog.answered(c, 1, 51)
    t.equal(backlog.limit, 2)
    t.end()
  })
  t.test('an answer shows that all before were accepted: silence taken for waiting', (t) => {
    const { backlog, b, c, d } = learned()
    for (const each of [b, c, d]) backlog.opened(each, 1, 1)
    backlog.answered(c, 1, 2)
    t.equal(backlog.size, 1, 'd waits')
    backlog.closed(d, 100)
    t.notOk(backlog.mustYield(1000), 'b does not, however slow it is')
    t.end()
  })
  t.test('where scripts are slow, nothing is queued: reuse at the price of waiting', (t) => {
    const { backlog, c } = starved()
    c.requests = 2
    for (let n = 0; n < 40; n++) backlog.answered(c, 50, 100)
    backlog.opened(c, 100, 100)
    t.ok(backlog.hasRoom(1, 100))
    t.end()
  })
  t.test('least is open in any case, and a fixed maximum stays', (t) => {
    const some = learned('auto', 3)
    t.ok(some.backlog.hasRoom(1, 1))
    const fixed = learned(4).backlog
    t.ok(fixed.hasRoom(100, 1), 'the pool looks at the maximum')
    t.strictSame([fixed.most, fixed.limit, fixed.adaptive], [4, 4, false])
    t.end()
  })
  t.test('a turn is longer where more requests are queued: one length for all', (t) => {
    const { backlog } = learned()
    t.equal(backlog.turn(0), 20, 'nobody waits')
    backlog.opened(connection(), 1, 1)
    t.strictSame(
      [0, 1, 2, 100].map((queued) => backlog.turn(queued)),
      [5, 10, 20, 20],
    )
    t.end()
  })
  t.end()
})

/** Requests of one script each, sent at given times; returns how long each waited. */
function waits(
  workers: number,
  requests: ReadonlyArray<[at: number, service: number, script?: string, after?: number]>,
  options = {},
) {
  const clock = new VirtualClock()
  const pool = new SimulatedPool(clock, new Application(clock, workers), options)
  const found: number[] = new Array(requests.length).fill(Number.POSITIVE_INFINITY)
  requests.forEach(([at, service, script = '', after = 0], n) => {
    const done = () => {
      found[n] = clock.now() - at - service
    }
    clock.set(() => pool.dispatch(new SimulatedRequest({ script, service, after }, done)), at)
  })
  clock.runUntil(100_000)
  return { found, pool, longest: Math.max(...found) }
}

t.test('a limit that is too low costs milliseconds: no stall rule', (t) => {
  const clock = new VirtualClock()
  const application = new Application(clock, 1)
  const pool = new SimulatedPool(clock, application)
  new Clients(clock, pool, 8, short)
  clock.runUntil(1000)
  t.ok(pool.limit <= 2)
  application.workers = 30
  application.accept()
  const ends: number[] = []
  for (let n = 0; n < 24; n++)
    pool.dispatch(new SimulatedRequest({ service: 1000 }, () => ends.push(clock.now())))
  clock.runUntil(6000)
  t.equal(ends.length, 24)
  const longest = Math.max(...ends) - 1000
  t.ok(longest < 1300, `24 requests of 1 s took ${longest.toFixed()} ms`)
  t.end()
})

t.test('no request waits for after-work beside idle workers: no measurement', (t) => {
  const requests: Array<[number, number, string, number?]> = []
  for (let n = 0; n < 30; n++) {
    requests.push([n * 4000, 5, 'finish', 3000])
    for (let m = 0; m < 3; m++) requests.push([n * 4000 + 8 + m, 1, 'quick'])
  }
  const { longest } = waits(4, requests.slice(0, 90))
  t.ok(longest < 10, `longest wait ${longest.toFixed(1)} ms, the first time too`)
  t.end()
})

t.test('an application that does not close on FIN holds up nothing: no bound', (t) => {
  for (const most of ['auto', 1] as const) {
    const clock = new VirtualClock()
    const application = new Application(clock, 1)
    application.closesOnFin = false
    const pool = new SimulatedPool(clock, application, { most })
    const ends: number[] = []
    const next = () => {
      if (ends.length === 50) return
      const done = () => {
        ends.push(clock.now())
        clock.set(next, 1)
      }
      pool.dispatch(new SimulatedRequest({ script: 'x', service: 1 }, done))
    }
    next()
    clock.runUntil(60_000)
    t.equal(ends.length, 50)
    t.ok((ends.at(-1) ?? 1e9) < 15_000, `${most}: ${ends.at(-1)?.toFixed()} ms`)
  }
  t.end()
})
