/** Balancers and process managers as members of balancers: failures go on to the next member, through every level. */
import { Balancer, type BalancerOptions, FastCGIClient } from '@fastcgi/client'
import { createProcessManager } from '@fastcgi/process-manager'
import t, { type Test } from 'tap'
import { type Peer, type Script, startPeer, wellBehaved } from '../helpers/scripted-peer.ts'
import { nothingEscapes } from '../helpers/strict.ts'
import { until } from '../helpers/wait.ts'

nothingEscapes()

const CLOSES: Script = async (connection) => {
  const request = await connection.request()
  await request.stdin()
  connection.destroy()
}
const OVERLOADED: Script = async (connection) => {
  const request = await connection.request()
  await request.stdin()
  connection.end(0, 2)
}

async function started(t: Test, script: Script): Promise<Peer> {
  const peer = await startPeer(script)
  t.teardown(() => peer.close())
  return peer
}

/** A balancer inside another one, and a member that is well beside it. */
async function nested(
  t: Test,
  options: BalancerOptions,
  outer: BalancerOptions = {},
): Promise<{ balancer: Balancer; client: FastCGIClient; well: Peer }> {
  const well = await started(t, wellBehaved())
  const inner = new Balancer({ name: 'inner', ...options })
  const balancer = new Balancer({
    name: 'outer',
    method: 'first',
    ...outer,
    members: [
      { address: inner, name: 'inner' },
      { address: well.address, name: 'well' },
    ],
  })
  const client = new FastCGIClient(balancer)
  t.teardown(async () => {
    await client.destroy()
    await balancer.destroy()
    await inner.destroy()
  })
  return { balancer, client, well }
}

async function ask(client: FastCGIClient, method: string): Promise<string> {
  const response = await client.request({ params: { REQUEST_METHOD: method }, body: 'x' })
  return response.text()
}

const REFUSES = 'fcgi://127.0.0.1:9'
const CASES: ReadonlyArray<[string, (t: Test) => Promise<BalancerOptions>, readonly string[]]> = [
  ['its member refuses the connection', async () => ({ members: [REFUSES] }), ['GET', 'POST']],
  ['it has no members', async () => ({ members: [] }), ['GET', 'POST']],
  [
    'its member is disabled',
    async () => ({ members: [{ address: REFUSES, status: 'disabled' }] }),
    ['GET', 'POST'],
  ],
  [
    'its member says OVERLOADED',
    async (t) => ({ members: [(await started(t, OVERLOADED)).address] }),
    ['GET', 'POST'],
  ],
  [
    'its member closes without an answer',
    async (t) => ({ members: [(await started(t, CLOSES)).address] }),
    ['GET'],
  ],
]

for (const [what, options, methods] of CASES)
  t.test(`an inner balancer: ${what}`, async (t) => {
    const { client, well } = await nested(t, await options(t))
    for (const method of methods) t.equal(await ask(client, method), 'ok', method)
    t.equal(well.requests.length, methods.length)
  })

t.test('three levels deep', async (t) => {
  const innermost = new Balancer({ name: 'innermost', members: [REFUSES] })
  const { client } = await nested(t, { members: [{ address: innermost, name: 'innermost' }] })
  t.equal(await ask(client, 'POST'), 'ok')
  await innermost.close()
})

t.test('a POST that a nested member may have begun with is not sent again', async (t) => {
  const closes = await started(t, CLOSES)
  const { client, well } = await nested(t, { members: [closes.address] })
  await t.rejects(ask(client, 'POST'), { code: 'FCGI_PREMATURE_CLOSE', begun: true })
  t.equal(closes.requests.length, 1)
  t.equal(well.requests.length, 0)
})

t.test('a GET that was begun and then finds no room is no overload', async (t) => {
  const closes = await started(t, CLOSES)
  const overloaded = await started(t, OVERLOADED)
  const client = new FastCGIClient({
    members: [closes.address, overloaded.address],
    method: 'first',
  })
  t.teardown(() => client.destroy())
  await t.rejects(ask(client, 'GET'), { code: 'FCGI_PREMATURE_CLOSE' })
  t.equal(overloaded.requests.length, 1)
})

t.test('a process manager whose program does not start', async (t) => {
  const manager = createProcessManager({
    command: ['/bin/false'],
    processes: 1,
    logger: false,
    restartDelay: 60_000,
  })
  t.teardown(() => manager.close())
  await until('its failure', () => manager.processes[0]?.state === 'backoff')
  const well = await started(t, wellBehaved())
  const balancer = new Balancer({
    members: [
      { address: manager, name: 'manager' },
      { address: well.address, name: 'well' },
    ],
  })
  const client = new FastCGIClient(balancer)
  t.teardown(() => balancer.destroy())
  const answers = await Promise.all(Array.from({ length: 100 }, () => ask(client, 'POST')))
  t.ok(answers.every((answer) => answer === 'ok'))
  t.equal(well.requests.length, 100)
})

t.test('a member that refuses at once is not asked for being idle', async (t) => {
  for (const method of ['least-connection', 'bybusyness', 'bytraffic', 'random-two'] as const) {
    const { balancer, client, well } = await nested(t, { members: [] }, { method })
    const clients = Array.from({ length: 8 }, async () => {
      for (let n = 0; n < 25; n++) t.equal(await ask(client, 'POST'), 'ok')
    })
    await Promise.all(clients)
    t.equal(well.requests.length, 200)
    const asked = balancer.members[0]?.counters.overloaded ?? 0
    t.ok(asked < 100, `${method}: asked ${asked} times for 200 requests`)
  }
})
