/** Compares the CPU time per request of gateways in front of an application that does no work. */
import { parseArgs } from 'node:util'
import { report } from '../lib/results.ts'
import { cpuOf, inRounds, rateOf, underLoad } from '../lib/rounds.ts'
import { mediansByName, printed, ratiosByName, rounded, winner } from '../lib/statistics.ts'
import { makeWorkplace } from '../lib/workplace.ts'
import { startContestants } from '../servers/contestants.ts'
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
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '1' },
    connections: { type: 'string', default: '64' },
    bytes: { type: 'string', default: '1024' },
    fields: { type: 'string', default: '0' },
  },
})
const rounds = Number(values.rounds)
const connections = Number(values.connections)
const path = `/index.php?bytes=${values.bytes}`
const headers = Array.from({ length: Number(values.fields) }, (_, n) => `X-Field-${n}: value ${n}`)

const place = makeWorkplace()
await startSink(place)
const contestants = await startContestants(place, positionals.length > 0 ? positionals : ALL)
const wish = { path, connections, headers, seconds: Number(values.seconds) }
const measures = await inRounds(rounds, contestants, (each) => underLoad(place, each, wish))
report(
  'gateway',
  `CPU per request: ${values.bytes} bytes, ${connections} connections, keep-alive, medians of ${rounds} rounds of ${values.seconds} s`,
  table(),
)
process.exit()

function table(): object[] {
  const cpu = mediansByName(measures, cpuOf)
  const rate = mediansByName(measures, rateOf)
  const p99 = mediansByName(measures, (row) => row.p99)
  return contestants.map(({ name, memory }) => {
    const floor = FLOORS[name]
    const ofHttp = ratiosByName(measures, cpuOf, name).get('http')
    return {
      name,
      'CPU µs/request': rounded(cpu.get(name) ?? Number.NaN),
      '× own floor':
        floor === undefined ? '' : printed(ratiosByName(measures, cpuOf, floor).get(name)),
      'http is × of it': name === 'http' ? '' : printed(ofHttp),
      cheaper: winner('http', name, ofHttp, 'lower'),
      'requests/s': Math.round(rate.get(name) ?? 0),
      'p99 ms': rounded(p99.get(name) ?? 0),
      'RSS MB': Math.round(memory / 1e6),
      failed: measures.reduce((sum, row) => sum + (row.name === name ? row.failed : 0), 0),
    }
  })
}
