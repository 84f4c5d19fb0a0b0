import t from 'tap'
import { ConcurrencyLimit } from './internals.ts'
import { Application, Clients, SimulatedPool, SimulatedRequest } from './simulation.ts'
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
      if (count > workers)
        t.ok(pool.limit >= workers && pool.limit <= workers + 2, `limit ${pool.limit}`)
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

t.test('without fairness, clients would be starved: the simulation shows what it is for', (t) => {
  const { clock, clients } = run(2, 16, { most: 16, fairness: 1e9, maxAge: 0 })
  clock.runUntil(3000)
  t.equal(clients.counts.filter((n) => n === 0).length, 14)
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
  const reconnects = pool.opened - before
  t.ok(reconnects < 90, `${reconnects} connections in 3 s, mostly for age`)
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

t.test('two pools that cannot see each other share the workers', (t) => {
  for (const workers of [2, 4, 8]) {
    const clock = new VirtualClock()
    const application = new Application(clock, workers)
    const both = [0, 1].map(() => {
      const pool = new SimulatedPool(clock, application)
      return new Clients(clock, pool, 8, short)
    })
    clock.runUntil(1000)
    for (const clients of both) clients.reset()
    clock.runUntil(9000)
    const total = both.reduce((sum, clients) => sum + clients.total, 0)
    t.ok(total > (0.7 * (8000 * workers)) / 2, `${workers} workers: ${total} answers`)
    for (const clients of both) {
      t.ok(clients.total > 0.3 * total, `${((100 * clients.total) / total).toFixed()} %`)
      t.ok(clients.longest < 2000, `longest wait ${clients.longest.toFixed()} ms`)
    }
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

/** Connections, and a limit that knows that requests take 1 ms. */
function learned(most: number | 'auto' = 'auto', least = 1) {
  const limit = new ConcurrencyLimit<object>({ most, least, fairness: 5 })
  const [a, b, c, d] = [{}, {}, {}, {}]
  limit.opened(a, 0)
  limit.answered(a, 1, 1)
  return { limit, a, b, c, d }
}

t.test('rules', (t) => {
  // Each says what would make it fail.
  t.test('nobody yields while nobody waits: idle connections counted as waiting', (t) => {
    const { limit } = learned()
    t.notOk(limit.mustYield(1000))
    t.equal(limit.value(1000), 64)
    t.end()
  })
  t.test('one yields for one that waits, not a second soon after: no pause between', (t) => {
    const { limit, b } = learned()
    limit.opened(b, 1)
    t.notOk(limit.mustYield(8), 'has not waited long: 5 ms and 3 times the usual 1 ms')
    t.ok(limit.mustYield(10))
    t.notOk(limit.mustYield(11))
    t.ok(limit.mustYield(100), 'others may have taken the first worker')
    t.notOk(limit.mustYield(150), 'the pause doubles')
    t.end()
  })
  t.test('a slow script proves nothing: the limit lowered when a connection is silent', (t) => {
    const { limit, a, b } = learned()
    limit.opened(b, 1)
    t.ok(limit.mustYield(10))
    limit.closed(a, 10)
    limit.answered(b, 300, 301)
    t.equal(limit.value(301), 64)
    t.end()
  })
  t.test('two starved in a row lower the limit: one taken for proof', (t) => {
    const { limit, a, b, c, d } = learned()
    limit.opened(b, 1)
    limit.opened(c, 1)
    t.ok(limit.mustYield(10))
    limit.closed(a, 10)
    limit.answered(b, 10, 12)
    t.equal(limit.value(12), 64)
    limit.opened(d, 12)
    t.ok(limit.mustYield(20))
    limit.closed(b, 20)
    limit.answered(c, 21, 22)
    t.equal(limit.value(22), 1)
    t.end()
  })
  t.test('one that answers at once was not accepted only then: the freed worker lost', (t) => {
    const { limit, a, b, c } = learned()
    for (const each of [b, c]) limit.opened(each, 1)
    t.ok(limit.mustYield(20))
    limit.closed(a, 20)
    limit.answered(b, 19, 20.1)
    t.notOk(limit.mustYield(30), 'that worker is for c')
    t.equal(limit.value(30), 64)
    t.end()
  })
  t.test('an answer shows that all before were accepted: silence taken for waiting', (t) => {
    const { limit, b, c, d } = learned()
    for (const each of [b, c, d]) limit.opened(each, 1)
    limit.answered(c, 1, 2)
    t.ok(limit.mustYield(100), 'd waits')
    limit.closed(d, 100)
    t.notOk(limit.mustYield(1000), 'b does not, however slow it is')
    t.end()
  })
  t.test('the limit rises by itself while requests are queued: no raise', (t) => {
    const { limit, a, b, c } = learned()
    for (const each of [b, c]) limit.opened(each, 1)
    limit.mustYield(10)
    limit.closed(a, 10)
    limit.answered(b, 11, 12)
    limit.mustYield(12)
    limit.closed(b, 12)
    limit.answered(c, 13, 14)
    t.equal(limit.value(14), 1)
    t.notOk(limit.raise(20), 'not at once')
    t.ok(limit.raise(100))
    t.equal(limit.value(100), 2)
    t.end()
  })
  t.test('the limit keeps between least and 64, and a fixed one stays', (t) => {
    const { limit } = learned()
    const many = Array.from({ length: 100 }, () => ({}))
    for (const each of many) limit.opened(each, 100)
    for (const each of many) limit.answered(each, 1, 101)
    t.equal(limit.value(101), 64)
    t.notOk(limit.raise(1e6))
    const fixed = learned(4).limit
    t.notOk(fixed.raise(1e6))
    t.equal(fixed.value(1e6), 4)
    t.equal(fixed.most, 4)
    t.end()
  })
  t.test('connections accepted late show that others compete: waits not looked at', (t) => {
    const { limit, b, c } = learned()
    limit.opened(b, 1)
    limit.answered(b, 99, 100)
    t.notOk(limit.isContended(100), 'once may be chance')
    limit.opened(c, 100)
    limit.answered(c, 99, 200)
    t.ok(limit.isContended(200))
    t.notOk(limit.isContended(2000))
    t.end()
  })
  t.test('where some scripts take seconds, nothing overtakes: patience kept', (t) => {
    const { limit, a, b } = learned()
    limit.answered(a, 3000, 3001)
    t.ok(limit.isStrict(3001))
    limit.opened(b, 3001)
    t.ok(limit.mustYield(3002))
    t.equal(limit.value(3002), 64)
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
