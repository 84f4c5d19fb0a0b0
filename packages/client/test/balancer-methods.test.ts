/** Every method: who gets how many of 10,000 requests. */
import t, { type Test } from 'tap'
import {
  type Call,
  counts,
  fire,
  hints,
  keeps,
  type Setup,
  type Stub,
  setup,
} from './balancer-stubs.ts'

const MANY = 10_000
const WEIGHTS = [{ weight: 1 }, { weight: 2 }, { weight: 4 }]

/** Passes when the counts are in proportion to the weights, give or take a part of the whole. */
function inProportion(t: Test, found: number[], weights: number[], tolerance = 0.01): void {
  const total = found.reduce((a, b) => a + b, 0)
  const sum = weights.reduce((a, b) => a + b, 0)
  for (const [at, count] of found.entries()) {
    const share = (weights[at] ?? 0) / sum
    t.ok(
      Math.abs(count / total - share) <= tolerance,
      `${count} of ${total}, ${(share * total).toFixed()} wanted`,
    )
  }
}

function many(setup: Setup, request = (_n: number) => ({})): number[] {
  for (let n = 0; n < MANY; n++) fire(setup.balancer, request(n))
  return counts(setup.stubs)
}

t.test('byrequests: by weight, evenly interleaved', (t) => {
  const made = setup(t, WEIGHTS, { method: 'byrequests' })
  inProportion(t, many(made), [1, 2, 4])
  const order = setup(t, [{ weight: 1 }, { weight: 3 }], { method: 'byrequests' })
  const picked: string[] = []
  for (const stub of order.stubs)
    stub.behaviour = (call) => {
      picked.push(stub.name)
      call.answer()
    }
  for (let n = 0; n < 8; n++) fire(order.balancer)
  t.equal(picked.join(''), 'babbbabb', 'as Apache and nginx interleave them')
  t.end()
})

t.test('byrequests: a weight can be a fraction', (t) => {
  const made = setup(t, [{ weight: 0.5 }, { weight: 1.5 }], { method: 'byrequests' })
  inProportion(t, many(made), [1, 3])
  t.end()
})

t.test('bytraffic: bytes of both directions, by weight', (t) => {
  const made = setup(t, WEIGHTS, { method: 'bytraffic' })
  const sizes = [1000, 10, 300]
  for (const [at, stub] of made.stubs.entries())
    stub.behaviour = (call) => call.answer(200, 'x'.repeat(sizes[at] ?? 1))
  many(made)
  const bytes = made.balancer.members.map(
    ({ counters }) => counters.bytesSent + counters.bytesReceived,
  )
  inProportion(t, bytes, [1, 2, 4])
  t.end()
})

t.test('bytraffic: bodies of requests count, whatever they are', (t) => {
  const made = setup(t, [{}, {}], { method: 'bytraffic' })
  const bodies = [Buffer.alloc(5000), 'x'.repeat(5000), 'é'.repeat(2500)]
  for (const body of bodies) {
    const [member] = made.balancer.members
    const before = member?.counters.bytesSent ?? 0
    // The second one has less so far, and is filled up again after it.
    fire(made.balancer, { body })
    for (let n = 0; n < 40; n++) fire(made.balancer, {})
    t.ok((member?.counters.bytesSent ?? 0) - before > 2500)
  }
  const [first, second] = made.balancer.members.map(({ counters }) => counters.bytesSent)
  t.ok(Math.abs((first ?? 0) - (second ?? 0)) < 6000, `${first} and ${second}`)
  t.ok((first ?? 0) + (second ?? 0) > 15_000, 'all three bodies are in')
  t.end()
})

/** Sends many, of which up to `open` stay open; answers one of them, at random, when there are more. */
function manyOpen({ balancer, stubs }: Setup, open: number): number[] {
  const waiting: Call[] = []
  for (const stub of stubs) stub.behaviour = (call) => void waiting.push(call)
  for (let n = 0; n < MANY; n++) {
    fire(balancer)
    if (waiting.length > open)
      waiting.splice(Math.floor(Math.random() * waiting.length), 1)[0]?.answer()
  }
  const loads = balancer.members.map((member) => member.counters.load)
  for (const call of waiting) call.answer()
  return loads
}

t.test('bybusyness: as many under way with everyone', (t) => {
  const made = setup(t, [{}, {}, {}], { method: 'bybusyness' })
  for (const load of manyOpen(made, 30)) t.ok(load >= 9 && load <= 11, `${load} under way`)
  inProportion(t, counts(made.stubs), [1, 1, 1], 0.05)
  t.end()
})

t.test('bybusyness: who is slow gets less, and ties go by weight', (t) => {
  const made = setup(t, [{}, {}], { method: 'bybusyness' })
  const [slow] = made.stubs as [Stub, Stub]
  slow.behaviour = keeps
  const found = many(made)
  t.strictSame(found, [1, MANY - 1])
  slow.open[0]?.answer()
  const ties = setup(t, WEIGHTS, { method: 'bybusyness' })
  inProportion(t, many(ties), [1, 2, 4])
  t.end()
})

t.test('least-connection: requests under way by weight', (t) => {
  const made = setup(t, WEIGHTS, { method: 'least-connection' })
  const loads = manyOpen(made, 70)
  for (const [at, wanted] of [10, 20, 40].entries())
    t.ok(Math.abs((loads[at] ?? 0) - wanted) <= 2, `${loads[at]} under way, ${wanted} wanted`)
  const quiet = setup(t, WEIGHTS)
  inProportion(t, many(quiet), [1, 2, 4])
  t.end()
})

t.test('round-robin: one after the other, weights not looked at', (t) => {
  const made = setup(t, WEIGHTS, { method: 'round-robin' })
  const found = many(made)
  t.ok(Math.max(...found) - Math.min(...found) <= 1, `${found}`)
  t.end()
})

const keyOf = (n: number) => ({ balance: hints({ path: `/page/${n}` }) })

/** Which stub each key went to. */
function placement(made: Setup, keys: number, request = keyOf): string[] {
  const places: string[] = []
  for (const stub of made.stubs)
    stub.behaviour = (call) => {
      places.push(stub.name)
      call.answer()
    }
  for (let n = 0; n < keys; n++) fire(made.balancer, request(n))
  return places
}

t.test('hash: a key stays, and only the keys of one that leaves move', async (t) => {
  const made = setup(t, [{}, {}, {}, {}], { method: 'hash' })
  const first = placement(made, MANY)
  t.strictSame(placement(made, MANY), first, 'same key, same member')
  const shares = ['a', 'b', 'c', 'd'].map((name) => first.filter((at) => at === name).length)
  inProportion(t, shares, [1, 1, 1, 1], 0.02)
  await made.balancer.remove('b')
  const second = placement(made, MANY)
  const moved = first.filter((name, at) => name !== second[at])
  t.ok(
    moved.every((name) => name === 'b'),
    'nobody else moves',
  )
  t.equal(moved.length, shares[1])
  const heirs = ['a', 'c', 'd'].map(
    (name) => second.filter((now, at) => now === name && first[at] === 'b').length,
  )
  inProportion(t, heirs, [1, 1, 1], 0.05)
})

t.test('hash: weights, and a key of ones own', (t) => {
  const made = setup(t, WEIGHTS, { method: 'hash' })
  inProportion(t, many(made, keyOf), [1, 2, 4], 0.02)
  const own = setup(t, [{}, {}, {}], { method: 'hash', key: ({ clientAddress }) => clientAddress })
  t.equal(new Set(placement(own, 100)).size, 1, 'all of one client')
  t.end()
})

t.test('hash: the same in another process, whatever the order of members', (t) => {
  const one = setup(t, [{ name: 'x' }, { name: 'y' }, { name: 'z' }], { method: 'hash' })
  const other = setup(t, [{ name: 'z' }, { name: 'x' }, { name: 'y' }], { method: 'hash' })
  const rename = new Map([...'abc'].map((name, at) => [name, ['z', 'x', 'y'][at]]))
  const here = placement(one, 300).map((name) => ['x', 'y', 'z'][name.charCodeAt(0) - 97])
  t.strictSame(
    placement(other, 300).map((name) => rename.get(name)),
    here,
  )
  t.end()
})

t.test('hash: without a key it shares', (t) => {
  const made = setup(t, WEIGHTS, { method: 'hash' })
  inProportion(t, many(made), [1, 2, 4])
  t.end()
})

t.test('sticky: by the address of the client', (t) => {
  const made = setup(t, [{}, {}, {}], { method: 'sticky' })
  const client = (n: number) => ({
    balance: hints({ path: `/${Math.random()}`, clientAddress: `192.0.2.${n % 250}` }),
  })
  const places = placement(made, 1000, client)
  for (let n = 250; n < 1000; n++)
    if (places[n] !== places[n - 250]) t.fail(`client ${n % 250} has moved`)
  t.equal(new Set(places).size, 3)
  t.end()
})

t.test('random-two: by weight, and away from the loaded', (t) => {
  const made = setup(t, [{}, {}, {}], { method: 'random-two' })
  inProportion(t, many(made), [1, 1, 1], 0.03)
  const loaded = setup(t, [{ does: keeps }, {}, {}], { method: 'random-two' })
  many(loaded)
  const [first = 0] = counts(loaded.stubs)
  t.ok(first <= 2, `the one that does not answer got ${first}`)
  for (const call of loaded.stubs[0]?.open ?? []) call.answer()
  const one = setup(t, [{}], { method: 'random-two' })
  t.strictSame(many(one), [MANY], 'there may be just one')
  t.end()
})

t.test('heartbeat', async (t) => {
  t.test('by idle workers; just started ones count a quarter', (t) => {
    const made = setup(t, [{}, {}, {}], { method: 'heartbeat' })
    made.balancer.beat('a', { busy: 1, ready: 10 })
    made.balancer.beat('b', { busy: 3, ready: 30 })
    made.balancer.beat('c', { busy: 0, ready: 40 })
    inProportion(t, many(made), [1, 3, 1], 0.02)
    t.end()
  })
  t.test('whoever was not heard of gets nothing', (t) => {
    const made = setup(t, [{}, {}], { method: 'heartbeat' })
    made.balancer.beat('b', { busy: 1, ready: 1 })
    t.strictSame(many(made), [0, MANY])
    t.end()
  })
  t.test('a beat counts for ten seconds', (t) => {
    const made = setup(t, [{}, {}], { method: 'heartbeat' })
    const { now } = performance
    t.teardown(() => {
      performance.now = now
    })
    made.balancer.beat('a', { busy: 1, ready: 5 })
    performance.now = () => now.call(performance) + 5000
    made.balancer.beat('b', { busy: 1, ready: 5 })
    performance.now = () => now.call(performance) + 10_100
    t.strictSame(many(made), [0, MANY], 'the first one is too old')
    performance.now = () => now.call(performance) + 15_200
    inProportion(t, many(made), [1, 3], 0.01)
    t.end()
  })
  t.test('nobody heard of, or nobody idle: by weight', (t) => {
    const made = setup(t, WEIGHTS, { method: 'heartbeat' })
    inProportion(t, many(made), [1, 2, 4])
    for (const { name } of made.balancer.members) made.balancer.beat(name, { busy: 5, ready: 0 })
    inProportion(t, many(made), [1, 2, 4])
    t.end()
  })
  t.test('what is no heartbeat is refused', (t) => {
    const made = setup(t, [{}], { method: 'heartbeat' })
    for (const wrong of [Number.NaN, -1, Number.POSITIVE_INFINITY, '3'])
      t.throws(() => made.balancer.beat('a', { busy: 1, ready: wrong as number }), {
        code: 'FCGI_OPTION',
      })
    t.throws(() => made.balancer.beat('a', { busy: -1, ready: 1 }), { code: 'FCGI_OPTION' })
    t.throws(() => made.balancer.beat('x', { busy: 1, ready: 1 }), {
      message: /no member x; there are: a/,
    })
    const other = setup(t, [{}])
    t.throws(() => other.balancer.beat('a', { busy: 1, ready: 1 }), { message: /option method/ })
    t.end()
  })
})

t.test('slowStart: the share grows', (t) => {
  const { now } = performance
  t.teardown(() => {
    performance.now = now
  })
  const begun = now.call(performance)
  performance.now = () => begun
  const made = setup(t, [{ slowStart: 0 }, { slowStart: 1000 }], { method: 'byrequests' })
  const at = (time: number) => {
    performance.now = () => begun + time
    const before = counts(made.stubs)
    many(made)
    return counts(made.stubs).map((count, n) => count - (before[n] ?? 0))
  }
  inProportion(t, at(0), [100, 1], 0.01)
  inProportion(t, at(500), [2, 1], 0.01)
  inProportion(t, at(2000), [1, 1], 0.01)
  t.end()
})
