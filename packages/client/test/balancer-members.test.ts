/** Members that come, change and go at run time; events and numbers. */
import { Balancer, type MemberChange, Pool } from '@fastcgi/client'
import { BUCKETS } from '@fastcgi/client/internal'
import t from 'tap'
import {
  answers,
  type Call,
  counts,
  keeps,
  Stub,
  send,
  sent,
  setup,
  sleep,
  turn,
} from './balancer-stubs.ts'

const ADDRESS = 'unix:/run/php/php-fpm.sock'

t.test('defaults', async (t) => {
  const balancer = new Balancer({ members: [ADDRESS, { address: 'fcgi://[::1]:9000' }] })
  t.equal(balancer.name, 'default')
  t.strictSame(
    balancer.members.map(({ name }) => name),
    [ADDRESS, '[::1]:9000'],
  )
  const [member] = balancer.members
  t.match(member, { weight: 1, lbset: 0, status: 'enabled', role: 'active', ignoreErrors: false })
  t.equal(member?.route, undefined)
  t.ok(member?.dispatcher instanceof Pool)
  t.equal(member?.state(performance.now()), 'ok')
  t.strictSame(balancer.stats, {
    connections: 0,
    idle: 0,
    active: 0,
    queued: 0,
    limit: 128,
    requests: 0,
    failed: 0,
    retries: 0,
  })
  await balancer.close()
  await t.rejects(async () => void (await member?.dispatcher.request({ params: {} })), {
    code: 'FCGI_CLOSED',
  })
})

t.test('pool options: the member’s before the balancer’s', (t) => {
  const balancer = new Balancer({
    maxConnections: 5,
    timeouts: { head: 1 },
    members: [
      ADDRESS,
      { address: ':9001', maxConnections: 7 },
      { address: ':9002', maxConnections: undefined, timeouts: { head: undefined } as object },
    ],
  })
  t.strictSame(
    balancer.members.map(({ dispatcher }) => dispatcher.stats.limit),
    [5, 7, 5],
  )
  t.end()
})

t.test('add, update, drain, remove', async (t) => {
  const made = setup(t, [{}, {}], { name: 'shop', method: 'round-robin' })
  const { balancer, stubs } = made
  const added = new Stub('new')
  t.equal(balancer.add({ address: added, name: 'new', weight: 3 }), balancer.members[2])
  for (let n = 0; n < 6; n++) await sent(balancer)
  t.strictSame(counts([...stubs, added]), [2, 2, 2])
  const change: MemberChange = {
    weight: 2.5,
    lbset: 3,
    route: 'r',
    redirect: 's',
    status: 'stopped',
    role: 'spare',
    ignoreErrors: true,
    retry: 5,
    slowStart: 6,
  }
  balancer.update('new', change)
  t.match(balancer.members[2], change)
  balancer.update('new', { weight: undefined, lbset: undefined, status: undefined } as MemberChange)
  t.match(balancer.members[2], change, 'undefined changes nothing')
  balancer.update('new', { route: undefined })
  t.equal(balancer.members[2]?.route, undefined, 'but takes a route away')
  balancer.drain('a')
  t.equal(balancer.members[0]?.status, 'draining')
  await balancer.remove('b')
  t.strictSame(
    balancer.members.map(({ name }) => name),
    ['a', 'new'],
  )
  t.strictSame(made.told(), [
    'new added',
    'new changed',
    'new changed',
    'new changed',
    'a changed',
    'b removed',
  ])
  t.ok(made.events.every((event) => event.balancer === 'shop'))
})

t.test('a member can come again under its name', async (t) => {
  const { balancer, stubs } = setup(t, [{ status: 'disabled' }])
  await balancer.remove('a')
  balancer.add({ address: stubs[0] as Stub, name: 'a' })
  t.equal((await sent(balancer)).result, 200)
})

t.test('mistakes', async (t) => {
  const { balancer, told } = setup(t, [{}, {}], { name: 'shop' })
  const no = { code: 'FCGI_OPTION', message: 'balancer shop has no member x; there are: a, b' }
  t.throws(() => balancer.update('x', { weight: 1 }), no)
  t.throws(() => balancer.drain('x'), no)
  await t.rejects(balancer.remove('x'), no)
  t.throws(() => balancer.add({ address: new Stub('a'), name: 'a' }), {
    message: 'balancer shop has a member a already (option name)',
  })
  balancer.add(ADDRESS)
  t.throws(() => balancer.add(ADDRESS.slice('unix:'.length)), { message: /already/ })
  t.throws(() => balancer.add('nonsense'), { code: 'FCGI_OPTION' })
  t.throws(() => balancer.update('a', { weight: 0 }), {
    code: 'FCGI_OPTION',
    message: /balancer shop, member a: option weight must be a number over 0/,
  })
  t.throws(() => balancer.update('a', { address: 'x' } as MemberChange), { code: 'FCGI_OPTION' })
  t.equal(balancer.members[0]?.weight, 1)
  t.strictSame(told(), [`${ADDRESS} added`])
})

t.test('a listener can be taken off', async (t) => {
  const { balancer, told } = setup(t, [{}])
  const heard: string[] = []
  const off = balancer.onMember(({ event }) => heard.push(event))
  balancer.drain('a')
  off()
  balancer.drain('a')
  t.strictSame(heard, ['changed'])
  t.equal(told().length, 2)
})

t.test('remove() resolves when what runs has ended', async (t) => {
  const { balancer, stubs } = setup(t, [{ does: keeps }, {}], { method: 'round-robin' })
  const taken = send(balancer)
  let gone = false
  const removing = balancer.remove('a').then(() => {
    gone = true
  })
  t.equal(balancer.members.length, 1)
  for (let n = 0; n < 4; n++) t.equal((await sent(balancer)).result, 200)
  await sleep(5)
  t.notOk(gone)
  const [first] = stubs as [Stub]
  first.last.answer()
  await removing
  t.equal((await taken.done).result, 200)
  t.equal(first.calls.length, 1)
})

t.test('all at once while requests run', async (t) => {
  const slowly = (call: Call) => void setTimeout(() => call.answer(), Math.random() * 4)
  const { balancer } = setup(t, [{ does: slowly }, { does: slowly }])
  const stubs: Stub[] = []
  let running = true
  const clients = Array.from({ length: 16 }, async () => {
    const results: unknown[] = []
    while (running) results.push((await sent(balancer)).result)
    return results
  })
  const removals: Array<Promise<void>> = []
  for (let n = 0; n < 40; n++) {
    const stub = new Stub(`m${n}`, slowly)
    stubs.push(stub)
    balancer.add({ address: stub, name: stub.name, weight: 1 + (n % 5) })
    balancer.update(stub.name, { weight: 2 })
    if (n >= 3) removals.push(balancer.remove(`m${n - 3}`))
    if (n >= 1) balancer.drain(`m${n - 1}`)
    await sleep(3)
  }
  running = false
  const results = (await Promise.all(clients)).flat()
  await Promise.all(removals)
  t.ok(results.length > 200, `${results.length} requests`)
  t.ok(
    results.every((result) => result === 200),
    'none lost',
  )
  const used = stubs.filter(({ calls }) => calls.length > 0).length
  t.ok(used > 10, `${used} of those that came for milliseconds were used`)
  t.ok(stubs.every(({ open }) => open.length === 0))
})

t.test('numbers', async (t) => {
  const { balancer, stubs } = setup(t, [{ does: keeps }], { name: 'n' })
  const [member] = balancer.members
  const taken = send(balancer, { params: {}, body: 'twelve bytes' })
  const [stub] = stubs as [Stub]
  const block = (stub.last.request.params as Buffer).length
  t.match(
    member?.counters,
    { connected: 0, load: 1, bytesSent: 0, bytesReceived: 0 },
    'not sent yet',
  )
  t.match(balancer.stats, { requests: 1, active: 1, limit: 64 })
  stub.last.head()
  t.match(member?.counters, { connected: 1, load: 1, bytesSent: block + 12 })
  t.equal(member?.headTimes.count, 1)
  t.equal(member?.totalTimes.count, 0)
  stub.last.data('12345')
  stub.last.end()
  await taken.done
  t.match(member?.counters, { connected: 1, load: 0, bytesReceived: 5, died: 0 })
  t.equal(member?.totalTimes.count, 1)
  t.equal(member?.totalTimes.counts.length, BUCKETS.length + 1)
  t.equal(
    member?.totalTimes.counts.reduce((a, b) => a + b),
    1,
  )
  t.ok((member?.headTimes.quantile(0.5) ?? 0) > 0)
})

t.test('informational heads, flushes and stderr are passed on', async (t) => {
  const { balancer, stubs } = setup(t, [{ does: keeps }])
  const heard: unknown[] = []
  balancer.dispatch(
    { params: {} },
    {
      onStart: ({ address }) => heard.push(address),
      onInformational: (status, headers) => heard.push(status, headers),
      onHead: (...args) => heard.push(...args),
      onData: (chunk) => heard.push(String(chunk)) < 0,
      onFlush: () => heard.push('flush'),
      onStderr: (line) => heard.push(line),
      onEnd: (appStatus) => heard.push(appStatus),
      onError: (error) => heard.push(error),
    },
  )
  const [stub] = stubs as [Stub]
  const { handler } = stub.last
  handler.onStart?.({ address: 'x', reused: false, queueTime: 0, connectTime: 0 })
  handler.onInformational?.(103, ['Link', 'y'])
  handler.onHead(201, ['A', 'b'], 'Made', true)
  t.equal(handler.onData(Buffer.from('z')), false)
  handler.onFlush?.()
  handler.onStderr?.('warning')
  handler.onEnd(7)
  t.strictSame(heard, [
    'x',
    103,
    ['Link', 'y'],
    201,
    ['A', 'b'],
    'Made',
    true,
    'z',
    'flush',
    'warning',
    7,
  ])
})

t.test('balancers nest', async (t) => {
  const inner = setup(t, [{}, {}], { name: 'inner', method: 'round-robin' })
  const outer = new Balancer({
    name: 'outer',
    members: [
      { address: inner.balancer, name: 'inner' },
      { address: new Stub('z'), name: 'z' },
    ],
    method: 'round-robin',
  })
  for (let n = 0; n < 4; n++) t.equal((await sent(outer)).result, 200)
  t.strictSame(counts(inner.stubs), [1, 1])
  await outer.destroy()
  t.equal((await sent(inner.balancer)).result, 200, 'the inner one is not the outer one’s')
})

t.test('members that answer while they are asked', async (t) => {
  const { balancer } = setup(t, [{ does: answers }])
  for (let n = 0; n < 3; n++) t.equal((await sent(balancer)).result, 200)
  await turn()
  t.equal(balancer.stats.requests, 3)
})
