/** maxLoad: members that are given so many requests at a time, and the rest waits for room. */
import { OverloadedError } from '@fastcgi/client'
import t from 'tap'
import { counts, keeps, type Stub, send, sent, setup, turn } from './balancer-stubs.ts'

t.test(
  'what all members together cannot take waits, and goes in order where there is room',
  async (t) => {
    const members = [
      { does: keeps, maxLoad: 1 },
      { does: keeps, maxLoad: 2 },
    ]
    const { balancer, stubs } = setup(t, members, { timeout: 5000, method: 'first' })
    const [a, b] = stubs as [Stub, Stub]
    const all = Array.from({ length: 6 }, (_, n) => send(balancer, { params: { N: String(n) } }))
    t.strictSame(counts(stubs), [1, 2])
    t.equal(balancer.waiting.size, 3)
    t.ok((balancer.waiting.since ?? Number.POSITIVE_INFINITY) <= performance.now())
    a.last.answer()
    t.strictSame(counts(stubs), [2, 2], 'the room is taken before anybody else can ask for it')
    t.equal(a.last.pairs[0]?.[1], '3')
    b.calls[0]?.fail('FCGI_PROTOCOL', false)
    t.equal(b.last.pairs[0]?.[1], '4', 'a failure makes room, too')
    all[1]?.control.abort()
    a.last.answer()
    t.equal(a.last.pairs[0]?.[1], '5')
    t.equal(balancer.waiting.size, 0)
    t.equal(balancer.waiting.since, undefined)
  },
)

t.test('a request that failed on one waits for another one that is full', async (t) => {
  const members = [
    { does: keeps, maxLoad: 1 },
    { does: keeps, maxLoad: 1 },
  ]
  const { balancer, stubs } = setup(t, members, { timeout: 5000, method: 'first' })
  const [a, b] = stubs as [Stub, Stub]
  const first = send(balancer)
  const second = send(balancer)
  const third = send(balancer, { params: { N: 'third' } })
  a.last.fail()
  t.equal(a.last.pairs[0]?.[1], 'third', 'in its place goes the next one')
  t.equal(balancer.waiting.size, 1)
  b.last.answer()
  t.equal((await second.done).result, 200)
  b.last.answer()
  t.equal((await first.done).result, 200)
  b.behaviour = keeps
  a.last.fail()
  b.last.fail()
  t.equal((await third.done).result, 'FCGI_CONNECT', 'nobody is left')
})

t.test('nobody has room in time', async (t) => {
  const { balancer } = setup(t, [{ does: keeps, maxLoad: 1 }], { timeout: 20 })
  send(balancer)
  const { error } = await sent(balancer)
  t.equal(error?.code, 'FCGI_OVERLOADED')
  t.match(error?.message, /waited 20 ms, option timeout\): a full/)
})

t.test('waiting.refuse()', async (t) => {
  const { balancer, stubs } = setup(t, [{ does: keeps, maxLoad: 1 }], { timeout: 5000 })
  const running = send(balancer)
  const waiting = [send(balancer), send(balancer)]
  balancer.waiting.refuse(new OverloadedError('nobody will come'))
  for (const { done } of waiting) t.equal((await done).error?.message, 'nobody will come')
  t.equal(balancer.waiting.size, 0)
  stubs[0]?.last.answer()
  t.equal((await running.done).result, 200)
})

t.test('members that fail at once, one after the other, are asked once each', async (t) => {
  const { balancer, stubs } = setup(t, [{ maxLoad: 1 }], { timeout: 5000 })
  const [a] = stubs as [Stub]
  a.behaviour = keeps
  const all = Array.from({ length: 4 }, () => send(balancer))
  a.behaviour = (call) => call.fail('FCGI_PROTOCOL', false)
  a.last.answer()
  await turn()
  t.equal(a.calls.length, 4)
  t.strictSame(
    all.map(({ result }) => result),
    [200, 'FCGI_PROTOCOL', 'FCGI_PROTOCOL', 'FCGI_PROTOCOL'],
  )
})

t.test('method first: the fewest, the first of equals', async (t) => {
  const { balancer, stubs } = setup(t, [{ does: keeps }, { does: keeps }, {}], { method: 'first' })
  send(balancer)
  send(balancer)
  await sent(balancer)
  await sent(balancer)
  t.strictSame(counts(stubs), [1, 1, 2])
})
