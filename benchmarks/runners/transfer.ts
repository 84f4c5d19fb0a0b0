/** One large body through the gateways, each way: throughput, CPU, and how far resident memory grows. */
import { parseArgs } from 'node:util'
import { RawClient } from '../lib/raw-client.ts'
import { report, rounded } from '../lib/results.ts'
import { mediansByName } from '../lib/statistics.ts'
import { makeWorkplace } from '../lib/workplace.ts'
import { type Contestant, startContestants } from '../servers/contestants.ts'
import { startSink } from '../servers/sink.ts'

const ALL = ['http', 'fastify', 'express', 'nginx']
const DIRECTIONS = ['down', 'up'] as const

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    megabytes: { type: 'string', default: '1024' },
  },
})
const bytes = Number(values.megabytes) * 1_048_576

interface Transfer {
  name: string
  seconds: number
  cpu: number
  growth: number
}

const place = makeWorkplace()
await startSink(place)
const contestants = await startContestants(place, positionals.length > 0 ? positionals : ALL)
const rows: object[] = []
for (const direction of DIRECTIONS) rows.push(...(await compare(direction)))
report('transfer', `${values.megabytes} MB in one body, medians of ${values.rounds} rounds`, rows)
process.exit()

async function compare(direction: (typeof DIRECTIONS)[number]): Promise<object[]> {
  const transfers: Transfer[] = []
  for (let round = 0; round < Number(values.rounds); round++)
    for (const contestant of contestants) transfers.push(await transfer(contestant, direction))
  const rate = mediansByName(transfers, ({ seconds }) => bytes / 1e6 / seconds)
  const cpu = mediansByName(transfers, (row) => row.cpu)
  return contestants.map(({ name }) => ({
    name,
    direction,
    'MB/s': Math.round(rate.get(name) ?? 0),
    '× nginx': rounded((rate.get(name) ?? 0) / (rate.get('nginx') ?? Number.NaN)),
    'CPU s': rounded(cpu.get(name) ?? 0),
    'peak RSS growth MB': rounded(
      Math.max(...transfers.filter((row) => row.name === name).map(({ growth }) => growth)) / 1e6,
    ),
  }))
}

async function transfer(
  contestant: Contestant,
  direction: (typeof DIRECTIONS)[number],
): Promise<Transfer> {
  await contestant.settle()
  contestant.forgetPeak()
  const memory = contestant.memory
  const cpu = contestant.cpuSeconds
  const client = await RawClient.connect(contestant.port)
  const begun = performance.now()
  if (direction === 'up') await client.post('/index.php?bytes=2', bytes)
  else await client.get(`/index.php?bytes=${bytes}`)
  const seconds = (performance.now() - begun) / 1000
  client.close()
  console.log(`${contestant.name} ${direction}: ${Math.round(bytes / 1e6 / seconds)} MB/s`)
  return {
    name: contestant.name,
    seconds,
    cpu: contestant.cpuSeconds - cpu,
    growth: contestant.peakMemory - memory,
  }
}
