/** Members from DNS, asked of a real name server. */
import { type Balancer, type BalancerOptions, FastCGIClient } from '@fastcgi/client'
import t, { type Test } from 'tap'
import { type LoopbackPeer, startLoopbackPeers } from '../helpers/balancer-peers.ts'
import {
  type DnsServer,
  findDnsmasq,
  type Hosts,
  type Service,
  startDns,
} from '../helpers/dns-server.ts'
import { needs } from '../helpers/require-program.ts'
import { wellBehaved } from '../helpers/scripted-peer.ts'
import { scaled } from '../helpers/time-limit.ts'
import { delay, until } from '../helpers/wait.ts'

const NEEDS_DNS = needs('dnsmasq-base', findDnsmasq())
const INTERVAL = 100
const HOSTS = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5']
const [ONE, TWO, THREE, FOUR] = HOSTS as [string, string, string, string]
const NAME = 'php.test'

interface Setup {
  dns: DnsServer
  peers: LoopbackPeer[]
  port: string
  balancer: Balancer
  /** Names of the members, without the port where it is that of all. */
  members(): string[]
}

/** Peers on all hosts, a name server with these records, and a balancer that follows it. */
async function setup(
  t: Test,
  hosts: Hosts,
  {
    services = () => [],
    discover = {},
    ...options
  }: Omit<BalancerOptions, 'discover'> & {
    services?: (port: number) => Service[]
    discover?: object
  } = {},
): Promise<Setup> {
  const peers = await startLoopbackPeers(t, HOSTS, wellBehaved())
  const port = peers[0]?.address.split(':')[1] as string
  const dns = await startDns(hosts, services(Number(port)))
  t.teardown(() => dns.close())
  const client = new FastCGIClient({
    discover: { name: `${NAME}:${port}`, interval: INTERVAL, servers: [dns.address], ...discover },
    ...options,
  })
  t.teardown(() => client.destroy())
  const balancer = client.dispatcher as Balancer
  const members = (): string[] =>
    balancer.members.map(({ name }) => name.replace(`:${port}`, '')).sort()
  return { dns, peers, port, balancer, members }
}

/** Clients that ask until they are stopped. */
function runClients(balancer: Balancer, count = 8): { stop(): Promise<string[]>; done(): number } {
  let running = true
  let done = 0
  const failures: string[] = []
  const clients = Array.from({ length: count }, async () => {
    while (running) {
      try {
        await (await balancer.request({ params: { N: '1' } })).bytes()
        done++
      } catch (error) {
        failures.push(String(error))
      }
    }
  })
  return {
    done: () => done,
    async stop() {
      running = false
      await Promise.all(clients)
      return failures
    },
  }
}

const counts = (peers: readonly LoopbackPeer[]) => peers.map(({ requests }) => requests.length)

t.test('addresses', NEEDS_DNS, async (t) => {
  t.test('the first requests wait for them', async (t) => {
    const { balancer, peers, members } = await setup(t, { [NAME]: [ONE, TWO] })
    const all = Array.from({ length: 10 }, () => balancer.request({ params: {} }))
    t.equal(balancer.stats.queued, 10)
    for (const response of await Promise.all(all)) t.equal(await response.text(), 'ok')
    t.strictSame(members(), [ONE, TWO])
    t.strictSame(counts(peers), [5, 5, 0, 0])
  })

  t.test('a change moves the traffic within one interval and loses nothing', async (t) => {
    const { dns, balancer, peers, members } = await setup(t, { [NAME]: [ONE, TWO] })
    const events: string[] = []
    balancer.onMember(({ event, member }) => events.push(`${event} ${member.split(':')[0]}`))
    const clients = runClients(balancer)
    await until('traffic', () => clients.done() > 100)
    const leaver = balancer.members.find(({ name }) => name.startsWith(ONE))
    await dns.change({ [NAME]: [TWO, THREE, FOUR] })
    const changed = performance.now()
    await until('the first to come', () => counts(peers)[2] !== 0 && counts(peers)[3] !== 0)
    await until('the last to go', () => !members().includes(ONE))
    const took = performance.now() - changed
    t.ok(took < scaled(INTERVAL * 3), `${took.toFixed()} ms`)
    await until('what it still had', () => leaver?.counters.load === 0)
    const left = counts(peers)[0]
    const before = clients.done()
    await until('more traffic', () => clients.done() > before + 100)
    t.equal(counts(peers)[0], left, 'nothing goes to the one that left')
    t.strictSame(await clients.stop(), [])
    t.strictSame(members(), [TWO, THREE, FOUR])
    t.strictSame(
      events.filter((event) => !/^(added|removed)/.test(event)),
      [],
    )
    t.ok(events.includes(`removed ${ONE}`))
    t.match(balancer.stats, { failed: 0, active: 0 })
  })

  t.test('of both families', async (t) => {
    const peers = await startLoopbackPeers(t, ['::1', ONE], wellBehaved())
    const port = peers[1]?.address.split(':')[1]
    const dns = await startDns({ [NAME]: ['::1', ONE] })
    t.teardown(() => dns.close())
    const discover = { name: `${NAME}:${port}`, interval: INTERVAL, servers: [dns.address] }
    const client = new FastCGIClient({ discover, method: 'round-robin' })
    t.teardown(() => client.destroy())
    for (let n = 0; n < 4; n++) t.equal(await (await client.request({ params: {} })).text(), 'ok')
    const names = (client.dispatcher as Balancer).members.map(({ name }) => name).sort()
    t.strictSame(names, [`127.0.0.2:${port}`, `[::1]:${port}`])
    t.strictSame(counts(peers), [2, 2])
  })

  t.test('an outage of the name server moves nobody', async (t) => {
    const { dns, balancer, members } = await setup(
      t,
      { [NAME]: [ONE, TWO] },
      { discover: { grace: 0 } },
    )
    await until('members', () => balancer.members.length === 2)
    const [first] = balancer.members
    await dns.kill()
    const clients = runClients(balancer, 2)
    await delay(INTERVAL * 5)
    t.strictSame(await clients.stop(), [])
    t.strictSame(members(), [ONE, TWO])
    await dns.start({ [NAME]: [ONE, THREE] })
    await until('the new one', () => members().includes(THREE))
    t.strictSame(members(), [ONE, THREE])
    t.equal(balancer.members[0], first, 'the one that stays is the same')
  })

  t.test('a name that is gone takes its members along, after a while', async (t) => {
    const grace = 400
    const { dns, balancer, members } = await setup(
      t,
      { [NAME]: [ONE] },
      { discover: { grace }, timeout: 50 },
    )
    await until('members', () => balancer.members.length === 1)
    await dns.change({ 'other.test': [ONE] })
    const gone = performance.now()
    await delay(INTERVAL * 2.5)
    t.strictSame(members(), [ONE])
    t.equal((await balancer.request({ params: {} })).status, 200)
    await until('the end of it', () => balancer.members.length === 0)
    const took = performance.now() - gone
    t.ok(took >= grace - INTERVAL && took < scaled(grace + INTERVAL * 5), `${took.toFixed()} ms`)
    const waiting = balancer.request({ params: {} })
    await dns.change({ [NAME]: [TWO] })
    t.equal((await waiting).status, 200, 'and whoever waits is served when it is there again')
    t.strictSame(members(), [TWO])
  })

  t.test('gone for less than that changes nothing', async (t) => {
    const { dns, balancer, members } = await setup(
      t,
      { [NAME]: [ONE] },
      { discover: { grace: 5000 } },
    )
    await until('members', () => balancer.members.length === 1)
    const [member] = balancer.members
    await dns.change({})
    await delay(INTERVAL * 3)
    await dns.change({ [NAME]: [ONE, TWO] })
    await until('the second', () => balancer.members.length === 2)
    t.equal(balancer.members[0], member)
    t.strictSame(members(), [ONE, TWO])
  })

  t.test('members that were named stay, whatever DNS says', async (t) => {
    const { dns, balancer, members, port } = await setup(
      t,
      { [NAME]: [ONE, TWO] },
      { members: ['127.0.0.1:9'], discover: { grace: 0 } },
    )
    await until('members', () => balancer.members.length === 3)
    balancer.update(`${ONE}:${port}`, { status: 'disabled' })
    await dns.change({ [NAME]: [ONE] })
    await until('the second to go', () => balancer.members.length === 2)
    t.equal(balancer.members[1]?.status, 'disabled', 'what an operator said stays said')
    await dns.change({})
    await until('the first to go', () => balancer.members.length === 1)
    t.strictSame(members(), ['127.0.0.1:9'])
  })

  t.test('after close() nobody asks any more', async (t) => {
    const { dns, balancer, members } = await setup(t, { [NAME]: [ONE] })
    await until('members', () => balancer.members.length === 1)
    await balancer.close()
    await dns.change({ [NAME]: [TWO] })
    await delay(INTERVAL * 2)
    t.strictSame(members(), [ONE])
  })
})

t.test('services', NEEDS_DNS, async (t) => {
  const SERVICE = '_php._tcp.test'
  const discover = { name: `srv:${SERVICE}` }
  const targets: Hosts = { 'a.test': [ONE], 'b.test': [TWO], 'c.test': [THREE] }

  t.test('priority is the set, weight the share', async (t) => {
    const { balancer, peers, members, dns, port } = await setup(t, targets, {
      discover,
      method: 'byrequests',
      services: (port) => [
        { name: SERVICE, target: 'a.test', port, priority: 10, weight: 20 },
        { name: SERVICE, target: 'b.test', port, priority: 10, weight: 60 },
        { name: SERVICE, target: 'c.test', port, priority: 20, weight: 0 },
      ],
    })
    await until('members', () => balancer.members.length === 3)
    const [a, b, c] = HOSTS.map((host) =>
      balancer.members.find(({ name }) => name === `${host}:${port}`),
    )
    t.strictSame([a?.lbset, b?.lbset, c?.lbset], [0, 0, 1])
    t.ok(Math.abs((b?.weight ?? 0) / (a?.weight ?? 1) - 3) < 1e-9)
    for (let n = 0; n < 40; n++) await (await balancer.request({ params: {} })).bytes()
    t.strictSame(counts(peers), [10, 30, 0, 0])
    balancer.update(`${ONE}:${port}`, { status: 'disabled' })
    balancer.update(`${TWO}:${port}`, { status: 'disabled' })
    t.equal((await balancer.request({ params: {} })).status, 200)
    t.equal(counts(peers)[2], 1)

    await dns.start(targets, [
      { name: SERVICE, target: 'b.test', port: Number(port), priority: 5, weight: 1 },
      { name: SERVICE, target: 'c.test', port: Number(port), priority: 5, weight: 1 },
    ])
    await until('the new set', () => members().join() === [TWO, THREE].join() && c?.lbset === 0)
    t.equal(b?.weight, c?.weight)
    t.equal(b?.status, 'disabled', 'what an operator said stays said')
  })

  t.test('a target that does not exist is left out', async (t) => {
    const { balancer, members } = await setup(t, targets, {
      discover: { ...discover, grace: 0 },
      services: (port) => [
        { name: SERVICE, target: 'a.test', port },
        { name: SERVICE, target: 'nowhere.test', port },
      ],
    })
    await until('members', () => balancer.members.length > 0)
    t.strictSame(members(), [ONE])
    await delay(INTERVAL * 3)
    t.strictSame(members(), [ONE])
    t.equal((await balancer.request({ params: {} })).status, 200)
  })

  t.test('a service that does not exist has no members, and requests say so', async (t) => {
    const { balancer } = await setup(t, {}, { discover, timeout: 10 })
    const begun = performance.now()
    await t.rejects(balancer.request({ params: {} }), {
      code: 'FCGI_OVERLOADED',
      message: /it has none/,
    })
    const took = performance.now() - begun
    t.ok(took > 2900 && took < scaled(6000), `${took.toFixed()} ms`)
  })
})
