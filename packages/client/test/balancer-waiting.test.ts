/** Requests that nobody can take now, limits, close() and destroy(). */
import { Readable } from 'node:stream'
import t from 'tap'
import {
  answers,
  type Call,
  counts,
  keeps,
  refuses,
  type Stub,
  scaled,
  send,
  sent,
  setup,
  sleep,
  turn,
  until,
} from './balancer-stubs.ts'

t.test('timeout: waits for a member', async (t) => {
  t.test('to be enabled, in the order they came', async (t) => {
    const made = setup(t, [{ status: 'disabled' }], { timeout: 5000 })
    const order: number[] = []
    const all = Array.from({ length: 20 }, (_, n) => {
      const taken = send(made.balancer, { params: { N: String(n) } })
      taken.onDone = () => order.push(n)
      return taken
    })
    t.equal(made.balancer.stats.queued, 20)
    made.balancer.update('a', { weight: 2 })
    t.equal(made.balancer.stats.queued, 20, 'other changes let nobody in')
    made.balancer.update('a', { status: 'enabled' })
    await Promise.all(all.map(({ done }) => done))
    t.strictSame(
      order,
      Array.from({ length: 20 }, (_, n) => n),
    )
    t.strictSame(
      made.stubs[0]?.calls.map((call) => call.pairs[0]?.[1]),
      order.map(String),
    )
    t.equal(made.balancer.stats.queued, 0)
  })

  t.test('to be added', async (t) => {
    const made = setup(t, [], { timeout: 5000 })
    const taken = send(made.balancer)
    await turn()
    const [stub] = setup(t, [{}]).stubs as [Stub]
    made.balancer.add({ address: stub, name: 'new' })
    t.equal((await taken.done).result, 200)
  })

  t.test('to come back', async (t) => {
    const made = setup(t, [{ does: refuses }, { does: refuses }], {
      timeout: 5000,
      maxFailures: 1,
      retry: 300,
      forceRecovery: false,
    })
    await sent(made.balancer)
    t.strictSame(made.told(), ['a failed', 'b failed'])
    for (const stub of made.stubs) stub.behaviour = answers
    const all = Array.from({ length: 5 }, () => send(made.balancer))
    t.equal(made.balancer.stats.queued, 5)
    for (const taken of all) t.equal((await taken.done).result, 200)
  })

  t.test('also when the first probe fails, or is given up', async (t) => {
    const made = setup(t, [{ does: refuses }, { does: refuses }], {
      timeout: 5000,
      maxFailures: 1,
      retry: 20,
      forceRecovery: false,
    })
    await sent(made.balancer)
    const probes: Call[] = []
    for (const stub of made.stubs)
      stub.behaviour = (call) => {
        if (probes.length < 4) probes.push(call)
        else call.answer()
      }
    const all = Array.from({ length: 10 }, () => send(made.balancer))
    // Both are out before either fails: it would try the other member, if that were due as well.
    await until('a probe of each', () => probes.length === 2)
    for (const probe of probes.slice(0, 2)) probe.fail()
    await until('two probes that hang', () => probes.length === 4)
    for (const probe of probes.slice(2)) probe.fail('FCGI_BODY_TRUNCATED', false)
    const results = await Promise.all(all.map(async ({ done }) => (await done).result))
    t.equal(results.filter((result) => result === 200).length, 6, 'all but the four probes')
    t.notOk(results.includes('FCGI_OVERLOADED'), 'nobody waited in vain')
  })

  t.test('the one that comes back first, whoever went out first', async (t) => {
    const made = setup(
      t,
      [
        { does: refuses, retry: 60_000 },
        { does: keeps, retry: 30 },
      ],
      { timeout: 3000, maxFailures: 1, forceRecovery: false, stickySession: 'R', nofailover: true },
    )
    made.balancer.update('a', { route: 'ra' })
    const session = {
      balance: {
        path: '',
        clientAddress: '',
        cookie: () => 'x.ra',
        pathParameter: () => undefined,
      },
    }
    await sent(made.balancer, session)
    const stays = send(made.balancer, session)
    await sleep(5)
    const kept = send(made.balancer)
    made.stubs[1]?.last.fail('FCGI_PREMATURE_CLOSE', false)
    await kept.done
    if (made.stubs[1] !== undefined) made.stubs[1].behaviour = answers
    const begun = performance.now()
    t.equal((await sent(made.balancer)).result, 200)
    t.ok(performance.now() - begun < scaled(1000))
    stays.control.abort()
  })

  t.test('until its time is up', async (t) => {
    const made = setup(t, [{ status: 'disabled' }], { timeout: 40 })
    const begun = performance.now()
    const { error } = await sent(made.balancer)
    const took = performance.now() - begun
    t.match(error, { code: 'FCGI_OVERLOADED', message: /waited 40 ms, option timeout/ })
    t.ok(took >= 39 && took < scaled(1000), `${took} ms`)
    t.equal(made.balancer.stats.queued, 0)
  })

  t.test('without it, at once', async (t) => {
    const made = setup(t, [{ status: 'disabled' }])
    const begun = performance.now()
    t.equal((await sent(made.balancer)).result, 'FCGI_OVERLOADED')
    t.ok(performance.now() - begun < scaled(500))
  })
})

t.test('maxRequestsInFlight: more fail at once', async (t) => {
  const made = setup(t, [{ does: keeps }, { does: keeps }], { maxRequestsInFlight: 5 })
  const all = Array.from({ length: 8 }, () => send(made.balancer))
  await turn()
  t.equal(all.filter(({ over }) => over).length, 3)
  for (const taken of all.slice(5))
    t.match(taken.error, { code: 'FCGI_OVERLOADED', message: /5 requests.*maxRequestsInFlight/ })
  t.strictSame(counts(made.stubs), [3, 2])
  made.stubs[0]?.open[0]?.answer()
  const next = send(made.balancer)
  await turn()
  t.equal(next.over, false)
  for (const stub of made.stubs) for (const call of stub.open) call.answer()
})

t.test('maxRequestsInFlight counts those that wait', async (t) => {
  const made = setup(t, [{ status: 'disabled' }], { maxRequestsInFlight: 2, timeout: 5000 })
  const all = [send(made.balancer), send(made.balancer), send(made.balancer)]
  t.equal((await all[2]?.done)?.result, 'FCGI_OVERLOADED')
  t.equal(made.balancer.stats.queued, 2)
  made.balancer.update('a', { status: 'enabled' })
  t.equal((await all[1]?.done)?.result, 200)
})

t.test('close() lets everything end and takes nothing new', async (t) => {
  const made = setup(t, [{ does: keeps }], { timeout: 5000 })
  const running = send(made.balancer)
  const [stub] = made.stubs as [Stub]
  let closed = false
  const closing = made.balancer.close().then(() => {
    closed = true
  })
  t.match((await sent(made.balancer)).error, {
    name: 'ClosedError',
    code: 'FCGI_CLOSED',
    message: 'balancer default is closed',
  })
  t.notOk(closed)
  stub.last.answer()
  t.equal((await running.done).result, 200)
  await closing
  t.equal(stub.closed, 0, 'a dispatcher is closed by whoever made it')
  await made.balancer.close()
  await made.balancer.destroy()
  t.equal(stub.destroyed, 0)
})

t.test('close() waits for those that wait', async (t) => {
  const made = setup(t, [{ status: 'disabled' }], { timeout: 5000 })
  const waiting = send(made.balancer)
  const closing = made.balancer.close()
  await turn()
  t.equal(waiting.over, false)
  made.balancer.update('a', { status: 'enabled' })
  t.equal((await waiting.done).result, 200)
  await closing
})

t.test('destroy() fails everything, wherever it is', async (t) => {
  const made = setup(t, [{ does: keeps }, { does: keeps, status: 'draining' }], {
    timeout: 60_000,
    stickySession: 'R',
    nofailover: true,
  })
  made.balancer.update('b', { route: 'rb', status: 'disabled' })
  const cookie = {
    path: '',
    clientAddress: '',
    cookie: () => 'x.rb',
    pathParameter: () => undefined,
  }
  const running = send(made.balancer)
  const waiting = send(made.balancer, { balance: cookie })
  const takingIn = send(made.balancer, { body: new Readable({ read() {} }), bodyLength: 5 })
  const [first] = made.stubs as [Stub]
  const onRemoved = first.last
  const gone = made.balancer.remove('a')
  t.strictSame(made.balancer.stats.queued, 1)
  const cause = new Error('enough')
  await made.balancer.destroy(cause)
  await gone
  for (const taken of [running, waiting, takingIn]) {
    await taken.done
    t.match(taken.error, { code: 'FCGI_CLOSED', cause })
    t.equal(taken.ends, 1)
  }
  t.ok(onRemoved.aborted)
})
