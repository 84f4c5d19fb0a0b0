/** Measures the cost of clients with an idle connection, and of clients that do not read their response. */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { load } from '../lib/load.ts'
import { RawClient } from '../lib/raw-client.ts'
import { report } from '../lib/results.ts'
import { rounded } from '../lib/statistics.ts'
import { makeWorkplace } from '../lib/workplace.ts'
import { type Contestant, startContestants } from '../servers/contestants.ts'
import { startSink } from '../servers/sink.ts'

const ALL = ['bare-http', 'http', 'bare-fastify', 'fastify', 'nginx']
const TOGETHER = 200

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    idle: { type: 'string', default: '10000' },
    slow: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '2' },
  },
})
const [idle, slow] = [Number(values.idle), Number(values.slow)]

const place = makeWorkplace()
await startSink(place)
// With the default of 64 connections, slow clients would occupy the whole pool; nginx has no such limit.
const names = positionals.length > 0 ? positionals : ALL
const contestants = await startContestants(place, names, { maxConnections: 2 * slow })
const rows: object[] = []
for (const contestant of contestants) {
  await load(place, { ...bystanders(contestant), seconds: 2 })
  const perIdle = await idleClients(contestant)
  // Servers without an application behind them are not affected by slow clients in this way.
  const beside = contestant.name.startsWith('bare') ? undefined : await slowClients(contestant)
  rows.push({ name: contestant.name, 'KB per idle client': rounded(perIdle), ...beside })
  console.log(rows.at(-1))
}
report('connections', `${idle} idle keep-alive clients; ${slow} that do not read 64 MB each`, rows)
process.exit()

function bystanders({ port }: Contestant) {
  return { port, path: '/index.php', connections: 16, seconds: Number(values.seconds) }
}

/** Resident memory per idle client in KB. */
async function idleClients(contestant: Contestant): Promise<number> {
  await contestant.settle()
  const before = contestant.memory
  const clients = await connectAll(contestant, idle, (client) => client.get('/index.php'))
  await contestant.settle()
  const after = contestant.memory
  for (const client of clients) client.close()
  await untilQuiet(contestant)
  return (after - before) / idle / 1000
}

/** Latency of other clients while there are slow ones, and resident memory per slow client. */
async function slowClients(contestant: Contestant): Promise<object> {
  const alone = await load(place, bystanders(contestant))
  await contestant.settle()
  const before = contestant.memory
  const clients = await connectAll(contestant, slow, (client) =>
    client.ignore('/index.php?bytes=67108864'),
  )
  await untilQuiet(contestant)
  const after = contestant.memory
  const beside = await load(place, bystanders(contestant))
  for (const client of clients) client.close()
  await untilQuiet(contestant)
  return {
    'KB per slow client': rounded((after - before) / slow / 1000),
    'requests/s alone': Math.round(alone.requestsPerSecond),
    'beside slow ones': Math.round(beside.requestsPerSecond),
    'p99 ms alone': rounded(alone.p99),
    'p99 ms beside': rounded(beside.p99),
    failed: alone.failed + beside.failed,
  }
}

/** Resolves when a contestant is idle: it has used almost no CPU for two seconds. */
async function untilQuiet(contestant: Contestant): Promise<void> {
  for (let used = 1; used > 0.02; ) {
    const before = contestant.cpuSeconds
    await delay(2000)
    used = contestant.cpuSeconds - before
  }
}

async function connectAll(
  { port }: Contestant,
  count: number,
  first: (client: RawClient) => Promise<unknown>,
): Promise<RawClient[]> {
  const clients: RawClient[] = []
  while (clients.length < count) {
    const some = Math.min(TOGETHER, count - clients.length)
    const more = await Promise.all(Array.from({ length: some }, () => RawClient.connect(port)))
    await Promise.all(more.map(first))
    clients.push(...more)
  }
  return clients
}
