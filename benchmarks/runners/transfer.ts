/** Measures the transfer of one large body in each direction: throughput, CPU time and growth of resident memory. */
import { parseArgs } from 'node:util'
import { RawClient } from '../lib/raw-client.ts'
import { report, rounded } from '../lib/results.ts'
import { mediansByName, ratiosByName } from '../lib/statistics.ts'
import { makeWorkplace } from '../lib/workplace.ts'
import { type Contestant, startContestants } from '../servers/contestants.ts'
import { startSink } from '../servers/sink.ts'

const ALL = ['http', 'fastify', 'express', 'nginx']
/** Response body, request body, and a file that the gateway sends instead of a response body. */
const DIRECTIONS = ['down', 'up', 'sendfile'] as const

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    megabytes: { type: 'string', default: '1024' },
  },
})
/** Name of the file to send. */
const LARGE = 'large'
const bytes = Number(values.megabytes) * 1_048_576

interface Transfer {
  name: string
  seconds: number
  cpu: number
  growth: number
}

const place = makeWorkplace()
await startSink(place)
place.files.make(LARGE, bytes)
const sendfile = { roots: [place.files.directory] }
const names = positionals.length > 0 ? positionals : ALL
const contestants = await startContestants(place, names, { sendfile })
const rows: object[] = []
for (const direction of DIRECTIONS) rows.push(...(await compare(direction)))
report('transfer', `${values.megabytes} MB in one body, medians of ${values.rounds} rounds`, rows)
process.exit()

async function compare(direction: (typeof DIRECTIONS)[number]): Promise<object[]> {
  const transfers: Transfer[] = []
  for (let round = 0; round < Number(values.rounds); round++)
    for (const contestant of contestants) transfers.push(await transfer(contestant, direction))
  const ratios = ratiosByName(transfers, ({ seconds }) => 1 / seconds, 'nginx')
  const rate = mediansByName(transfers, ({ seconds }) => bytes / 1e6 / seconds)
  const cpu = mediansByName(transfers, (row) => row.cpu)
  return contestants.map(({ name }) => ({
    name,
    direction,
    'MB/s': Math.round(rate.get(name) ?? 0),
    '× nginx': rounded(ratios.get(name) ?? Number.NaN),
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
  else if (direction === 'sendfile') await client.get(`/index.php?file=${LARGE}`)
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
