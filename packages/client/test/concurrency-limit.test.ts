import t from 'tap'
import { ConcurrencyLimit } from './internals.ts'
import { Application, Clients, Clock, SimulatedPool } from './simulation.ts'

/** About 2 ms, and not always the same. */
const short = (client: number): number => 1.5 + ((client * 7919) % 10) / 10

function run(workers: number, count: number, options = {}, service = short) {
  const clock = new Clock()
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
        t.ok(
          pool.limit.value >= workers && pool.limit.value <= workers + 2,
          `limit ${pool.limit.value}`,
        )
      t.end()
    })

t.test('a fixed number stays, and even too high a one starves nobody', (t) => {
  for (const most of [1, 2, 16]) {
    const { clock, pool, clients } = run(2, 16, { most })
    clock.runUntil(3000)
    t.equal(pool.limit.value, most)
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
  t.ok(pool.limit.value <= 4, `${pool.limit.value} with 2 workers`)
  application.workers = 12
  application.accept()
  clock.runUntil(5000)
  t.ok(pool.limit.value >= 11, `${pool.limit.value} with 12 workers`)
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
  t.ok(pool.limit.value <= 4, `${pool.limit.value} with 2 workers`)
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
  t.ok(clients.longest < 6000, `${clients.longest} ms, limit ${pool.limit.value}`)
  t.end()
})

t.test('two pools that cannot see each other share the workers', (t) => {
  for (const workers of [2, 4, 8]) {
    const clock = new Clock()
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
    const clock = new Clock()
    const pool = new SimulatedPool(clock, new Application(clock, 2))
    const ends: number[] = []
    for (let n = 0; n < count; n++)
      pool.dispatch({ since: 0, service: 2, done: () => ends.push(clock.now) })
    clock.runUntil(1000)
    t.equal(ends.length, count)
    t.ok(
      (ends.at(-1) ?? 0) < 30 + 2 * count,
      `${count} requests took ${ends.at(-1)?.toFixed(1)} ms`,
    )
  }
  t.end()
})

t.test('rules', (t) => {
  const seats = () => Array.from({ length: 8 }, (_, n) => ({ n }))

  t.test('nobody yields while nobody waits', (t) => {
    const [a] = seats() as [object]
    const limit = new ConcurrencyLimit({ most: 'auto', least: 1, fairness: 5 })
    limit.opened(a, 0)
    limit.answered(a, 1)
    t.notOk(limit.mustYield(1000))
    t.equal(limit.value, 64)
    t.end()
  })
  t.test('one yields for one that waits, and not a second for the same one', (t) => {
    const [a, b] = seats() as [object, object]
    const limit = new ConcurrencyLimit({ most: 'auto', least: 1, fairness: 5 })
    limit.opened(a, 0)
    limit.answered(a, 1)
    limit.opened(b, 1)
    t.notOk(limit.mustYield(8), 'has not waited long: 5 ms and 3 times the usual 1 ms')
    t.ok(limit.mustYield(10))
    t.notOk(limit.mustYield(11))
    t.equal(limit.value, 1, 'as many as were served')
    t.end()
  })
  t.test('an answer tells that all that connected before have been taken, too', (t) => {
    const [a, b, c] = seats() as [object, object, object]
    const limit = new ConcurrencyLimit({ most: 'auto', least: 1, fairness: 5 })
    for (const seat of [a, b, c]) limit.opened(seat, 0)
    limit.answered(b, 1)
    t.ok(limit.mustYield(100), 'c waits')
    limit.closed(c)
    t.notOk(limit.mustYield(1000), 'a does not, however slow it is')
    t.end()
  })
  t.test('the limit keeps between least and 64', (t) => {
    const [a, b] = seats() as [object, object]
    const limit = new ConcurrencyLimit({ most: 'auto', least: 3, fairness: 5 })
    limit.opened(a, 0)
    limit.answered(a, 1)
    limit.opened(b, 1)
    t.ok(limit.mustYield(100))
    t.equal(limit.value, 3)
    const many = Array.from({ length: 100 }, () => ({}))
    for (const seat of many) limit.opened(seat, 100)
    for (const seat of many) limit.answered(seat, 1)
    t.equal(limit.value, 64)
    t.notOk(limit.mayProbe(1e6))
    t.equal(limit.nextProbeIn(1e6), undefined)
    t.end()
  })
  t.test('a fixed number is never probed beyond', (t) => {
    const limit = new ConcurrencyLimit({ most: 4, least: 1, fairness: 5 })
    t.notOk(limit.mayProbe(1e6))
    t.equal(limit.nextProbeIn(1e6), undefined)
    t.end()
  })
  t.end()
})
