/** Compares the CPU time of requests that are answered from the cache, with one stored response and with many. */
import { parseArgs } from 'node:util'
import { load } from '../lib/load.ts'
import { RawClient } from '../lib/raw-client.ts'
import { report, rounded } from '../lib/results.ts'
import { mediansByName, ratiosByName } from '../lib/statistics.ts'
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
    seconds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '64' },
    entries: { type: 'string', default: '100000' },
  },
})
const connections = Number(values.connections)

interface Measure {
  name: string
  cpu: number
  requestsPerSecond: number
}

const place = makeWorkplace()
await startSink(place)
const names = [...PAIRS.flat(), 'nginx-cached']
const contestants = await startContestants(place, names)
for (const contestant of contestants) await measure(contestant, contestant.name, 2)
const measures: Measure[] = []
await measureAll('')
const cached = contestants.filter(({ name }) => name.endsWith('-cached'))
for (const contestant of cached) await fill(contestant, Number(values.entries))
const filled = ` (${values.entries} entries)`
await measureAll(filled)
report('cache', `CPU per hit: 1024 bytes, ${connections} connections, keep-alive, medians`, table())
process.exit()

async function measureAll(suffix: string): Promise<void> {
  for (let round = 0; round < Number(values.rounds); round++)
    for (const contestant of contestants)
      measures.push(await measure(contestant, contestant.name + suffix, Number(values.seconds)))
}

async function measure(contestant: Contestant, name: string, seconds: number): Promise<Measure> {
  const before = contestant.cpuSeconds
  const result = await load(place, { port: contestant.port, path: PATH, connections, seconds })
  const cpu = ((contestant.cpuSeconds - before) / result.requests) * 1e6
  console.log(`${name}: ${cpu.toFixed(1)} µs of CPU a request`)
  return { name, cpu, requestsPerSecond: result.requestsPerSecond }
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
  const cpu = mediansByName(measures, (row) => row.cpu)
  const rate = mediansByName(measures, (row) => row.requestsPerSecond)
  return [...cpu.keys()].map((name) => {
    const floor = PAIRS.find(([, ours]) => name.startsWith(ours))?.[0]
    const suffix = name.endsWith(filled) ? filled : ''
    const ratios =
      floor === undefined ? undefined : ratiosByName(measures, (row) => row.cpu, floor + suffix)
    return {
      name,
      'CPU µs/request': rounded(cpu.get(name) ?? Number.NaN),
      '× own floor': ratios === undefined ? '' : rounded(ratios.get(name) ?? Number.NaN),
      'requests/s': Math.round(rate.get(name) ?? 0),
    }
  })
}
