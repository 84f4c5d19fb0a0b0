/** Compares the CPU time of requests that are answered from the cache, with one stored response and with many. */
import { parseArgs } from 'node:util'
import { RawClient } from '../lib/raw-client.ts'
import { report } from '../lib/results.ts'
import { cpuOf, inRounds, type Measured, rateOf, underLoad } from '../lib/rounds.ts'
import { mediansByName, printed, ratiosByName, rounded, winner } from '../lib/statistics.ts'
import { makeWorkplace } from '../lib/workplace.ts'
import { type Contestant, startContestants } from '../servers/contestants.ts'
import { startSink } from '../servers/sink.ts'

const PAIRS: ReadonlyArray<readonly [bare: string, cached: string]> = [
  ['bare-http', 'http-cached'],
  ['bare-fastify', 'fastify-cached'],
  ['bare-express', 'express-cached'],
]
const PATH = '/index.php?bytes=1024'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    connections: { type: 'string', default: '64' },
    entries: { type: 'string', default: '100000' },
  },
})
const connections = Number(values.connections)

const place = makeWorkplace()
await startSink(place)
const names = [...PAIRS.flat(), 'nginx-cached']
const contestants = await startContestants(place, names)
const measures: Measured[] = []
await measureAll('')
const cached = contestants.filter(({ name }) => name.endsWith('-cached'))
for (const contestant of cached) await fill(contestant, Number(values.entries))
const filled = ` (${values.entries} entries)`
await measureAll(filled)
report(
  'cache',
  `CPU per hit: 1024 bytes, ${connections} connections, keep-alive, medians of ${values.rounds} rounds of ${values.seconds} s`,
  table(),
)
process.exit()

async function measureAll(suffix: string): Promise<void> {
  const wish = { path: PATH, connections, seconds: Number(values.seconds) }
  const found = await inRounds(Number(values.rounds), contestants, (contestant) =>
    underLoad(place, contestant, wish),
  )
  measures.push(...found.map((row) => ({ ...row, name: row.name + suffix })))
}

/** Has a server store responses to many other URLs. */
async function fill({ port }: Contestant, entries: number): Promise<void> {
  let next = 0
  const ask = async (): Promise<void> => {
    const client = await RawClient.connect(port)
    while (next < entries) await client.get(`${PATH}&n=${next++}`)
    client.close()
  }
  await Promise.all(Array.from({ length: 16 }, ask))
}

function table(): object[] {
  const cpu = mediansByName(measures, cpuOf)
  const rate = mediansByName(measures, rateOf)
  return [...cpu.keys()].map((name) => {
    const floor = PAIRS.find(([, ours]) => name.startsWith(ours))?.[0]
    const suffix = name.endsWith(filled) ? filled : ''
    const over = (other: string) => ratiosByName(measures, cpuOf, other + suffix).get(name)
    const nginx = floor === undefined ? undefined : over('nginx-cached')
    return {
      name,
      'CPU µs/request': rounded(cpu.get(name) ?? Number.NaN),
      '× own floor': floor === undefined ? '' : printed(over(floor)),
      '× nginx-cached': printed(nginx),
      cheaper: winner(name, 'nginx-cached', nginx, 'lower'),
      'requests/s': Math.round(rate.get(name) ?? 0),
    }
  })
}
