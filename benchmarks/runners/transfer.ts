/** Measures the transfer of one large body in each direction: throughput, CPU time and growth of resident memory. */
import { parseArgs } from 'node:util'
import { report } from '../lib/results.ts'
import { inRounds } from '../lib/rounds.ts'
import { mediansByName, printed, ratiosByName, rounded, winner } from '../lib/statistics.ts'
import { transfer } from '../lib/transfers.ts'
import { makeWorkplace } from '../lib/workplace.ts'
import { startContestants } from '../servers/contestants.ts'
import { startSink } from '../servers/sink.ts'

const ALL = ['http', 'fastify', 'express', 'nginx']
/** Response body and request body. */
const DIRECTIONS = ['down', 'up'] as const

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    megabytes: { type: 'string', default: '1024' },
  },
})
const bytes = Number(values.megabytes) * 1_048_576

const place = makeWorkplace()
await startSink(place)
const names = positionals.length > 0 ? positionals : ALL
const contestants = await startContestants(place, names)
const rows: object[] = []
for (const direction of DIRECTIONS) rows.push(...(await compare(direction)))
report('transfer', `${values.megabytes} MB in one body, medians of ${values.rounds} rounds`, rows)
process.exit()

async function compare(direction: (typeof DIRECTIONS)[number]): Promise<object[]> {
  const transfers = await inRounds(Number(values.rounds), contestants, (contestant) =>
    transfer(contestant, bytes, (client) =>
      direction === 'up'
        ? client.post('/index.php?bytes=2', bytes)
        : client.get(`/index.php?bytes=${bytes}`),
    ),
  )
  const ratios = ratiosByName(transfers, ({ seconds }) => 1 / seconds, 'nginx')
  const rate = mediansByName(transfers, ({ seconds }) => bytes / 1e6 / seconds)
  const cpu = mediansByName(transfers, (row) => row.cpu)
  return contestants.map(({ name }) => ({
    name,
    direction,
    'MB/s': Math.round(rate.get(name) ?? 0),
    '× nginx': printed(ratios.get(name)),
    faster: winner(name, 'nginx', ratios.get(name), 'higher'),
    'CPU s': rounded(cpu.get(name) ?? 0),
    'peak RSS growth MB': rounded(
      Math.max(...transfers.filter((row) => row.name === name).map(({ growth }) => growth)) / 1e6,
    ),
  }))
}
