/** Compares the CPU time per request of gateways in front of an application that does no work. */
import { parseArgs } from 'node:util'
import { load } from '../lib/load.ts'
import { report, rounded } from '../lib/results.ts'
import { mediansByName, ratiosByName } from '../lib/statistics.ts'
import { makeWorkplace } from '../lib/workplace.ts'
import { type Contestant, startContestants } from '../servers/contestants.ts'
import { startSink } from '../servers/sink.ts'

const ALL = [
  ...[
    'bare-http',
    'http',
    'http-multiplexed',
    'bare-fastify',
    'fastify',
    'bare-express',
    'express',
  ],
  ...['nginx', 'haproxy', 'lighttpd', 'apache2', 'caddy', 'http-proxy+nginx'],
]

/** The bare server that each adapter of this project is compared with. */
const FLOORS: Readonly<Record<string, string>> = {
  http: 'bare-http',
  'http-multiplexed': 'bare-http',
  fastify: 'bare-fastify',
  express: 'bare-express',
  'http-cached': 'bare-http',
  'fastify-cached': 'bare-fastify',
  'express-cached': 'bare-express',
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '64' },
    bytes: { type: 'string', default: '1024' },
    fields: { type: 'string', default: '0' },
  },
})
const rounds = Number(values.rounds)
const connections = Number(values.connections)
const path = `/index.php?bytes=${values.bytes}`
const headers = Array.from({ length: Number(values.fields) }, (_, n) => `X-Field-${n}: value ${n}`)

interface Measure {
  name: string
  cpu: number
  requestsPerSecond: number
  p99: number
  failed: number
}

const place = makeWorkplace()
await startSink(place)
const contestants = await startContestants(place, positionals.length > 0 ? positionals : ALL)
for (const contestant of contestants) await measure(contestant, 2)
const measures: Measure[] = []
// The contestants take turns in every round, so that other load of the machine affects all of them alike.
for (let round = 0; round < rounds; round++)
  for (const contestant of contestants) {
    const result = await measure(contestant, Number(values.seconds))
    measures.push(result)
    console.log(`${result.name}: ${result.cpu.toFixed(1)} µs of CPU a request`)
  }
report(
  'gateway',
  `CPU per request: ${values.bytes} bytes, ${connections} connections, keep-alive, medians of ${rounds} rounds`,
  table(),
)
process.exit()

async function measure(contestant: Contestant, seconds: number): Promise<Measure> {
  const before = contestant.cpuSeconds
  const result = await load(place, { port: contestant.port, path, connections, seconds, headers })
  return {
    ...result,
    name: contestant.name,
    cpu: ((contestant.cpuSeconds - before) / result.requests) * 1e6,
  }
}

function cpuOf({ cpu }: Measure): number {
  return cpu
}

function table(): object[] {
  const cpu = mediansByName(measures, cpuOf)
  const rate = mediansByName(measures, (row) => row.requestsPerSecond)
  const p99 = mediansByName(measures, (row) => row.p99)
  return contestants.map(({ name, memory }) => {
    const own = cpu.get(name) ?? Number.NaN
    const over = (other: string | undefined) =>
      other === undefined
        ? ''
        : rounded(ratiosByName(measures, cpuOf, other).get(name) ?? Number.NaN)
    return {
      name,
      'CPU µs/request': rounded(own),
      '× bare-http': over('bare-http'),
      '× own floor': over(FLOORS[name]),
      '× nginx': over('nginx'),
      'http is × of it': rounded(ratiosByName(measures, cpuOf, name).get('http') ?? Number.NaN),
      'requests/s': Math.round(rate.get(name) ?? 0),
      'p99 ms': rounded(p99.get(name) ?? 0),
      'RSS MB': Math.round(memory / 1e6),
      failed: measures.reduce((sum, row) => sum + (row.name === name ? row.failed : 0), 0),
    }
  })
}
