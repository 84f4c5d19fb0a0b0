/**
 * Compares static files and files that an application hands over (X-Sendfile, X-Accel-Redirect), small and large, with those who
 * usually send them.
 */
import { parseArgs } from 'node:util'
import { report } from '../lib/results.ts'
import { cpuOf, inRounds, rateOf, underLoad } from '../lib/rounds.ts'
import { mediansByName, printed, ratiosByName, rounded, winner } from '../lib/statistics.ts'
import { transfer } from '../lib/transfers.ts'
import { makeWorkplace } from '../lib/workplace.ts'
import { type Contestant, startContestants } from '../servers/contestants.ts'
import { startSink } from '../servers/sink.ts'

const GATEWAYS = ['http', 'fastify', 'nginx']
const STATIC = ['http', 'fastify', '@fastify/static', 'send', 'nginx']
const RIVALS = ['@fastify/static', 'send', 'nginx']
const SMALL = { '4 KB': 4096, '100 KB': 102_400 }
const PATHS = { static: '/static/', 'X-Sendfile': '/index.php?file=' }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    connections: { type: 'string', default: '64' },
    megabytes: { type: 'string', default: '1024' },
    what: { type: 'string', default: 'static,X-Sendfile' },
    sizes: { type: 'string', default: '4 KB,100 KB,large' },
  },
})
const sizes = values.sizes.split(',')

const place = makeWorkplace()
await startSink(place)
for (const [name, bytes] of Object.entries(SMALL)) place.makeFile(fileOf(name), bytes)
const large = Number(values.megabytes) * 1_048_576
if (sizes.includes('large')) place.makeFile('large', large)
const options = { static: true, sendfile: { roots: [place.files] } }
const contestants = await startContestants(
  place,
  positionals.length > 0 ? positionals : STATIC,
  options,
  `/static/${fileOf('4 KB')}`,
)
const rows: object[] = []
for (const [what, path] of Object.entries(PATHS)) {
  if (!values.what.split(',').includes(what)) continue
  const those = contestants.filter(({ name }) => what === 'static' || GATEWAYS.includes(name))
  for (const size of Object.keys(SMALL))
    if (sizes.includes(size)) rows.push(...(await compareSmall(those, what, size, path)))
  if (sizes.includes('large')) rows.push(...(await compareLarge(those, what, `${path}large`)))
}
report(
  'files',
  `Files: small ones for ${values.connections} connections, medians of ${values.rounds} rounds; their ratios are those of requests per second of CPU time, those of large files of MB/s`,
  rows,
)
process.exit()

function fileOf(size: string): string {
  return `${size.replace(' ', '')}.bin`
}

async function compareSmall(
  those: readonly Contestant[],
  what: string,
  size: string,
  path: string,
): Promise<object[]> {
  const [connections, seconds] = [Number(values.connections), Number(values.seconds)]
  const wish = { path: path + fileOf(size), connections, seconds }
  const measures = await inRounds(Number(values.rounds), those, (each) =>
    underLoad(place, each, wish),
  )
  const cpu = mediansByName(measures, cpuOf)
  const rate = mediansByName(measures, rateOf)
  const perCpu = measures.map(({ name, cpu }) => ({ name, rate: 1 / cpu }))
  return those.map(({ name }) => ({
    name,
    what,
    size,
    speed: `${Math.round(rate.get(name) ?? 0)}/s`,
    CPU: `${rounded(cpu.get(name) ?? Number.NaN)} µs`,
    ...compared(name, perCpu),
  }))
}

async function compareLarge(
  those: readonly Contestant[],
  what: string,
  path: string,
): Promise<object[]> {
  const transfers = await inRounds(Number(values.rounds), those, (each) =>
    transfer(each, large, (client) => client.get(path)),
  )
  const speed = mediansByName(transfers, ({ seconds }) => large / 1e6 / seconds)
  const cpu = mediansByName(transfers, (row) => row.cpu)
  const rates = transfers.map(({ name, seconds }) => ({ name, rate: 1 / seconds }))
  return those.map(({ name }) => ({
    name,
    what,
    size: `${values.megabytes} MB`,
    speed: `${Math.round(speed.get(name) ?? 0)} MB/s`,
    CPU: `${rounded(cpu.get(name) ?? Number.NaN)} s`,
    ...compared(name, rates),
  }))
}

/** How a contestant fares beside those who usually send files; the higher rate is the better one. */
function compared(name: string, rates: ReadonlyArray<{ name: string; rate: number }>): object {
  const beside = (rival: string) => ratiosByName(rates, ({ rate }) => rate, rival).get(name)
  const outcomes = RIVALS.map((rival) => [rival, winner(name, rival, beside(rival), 'higher')])
  const those = (wins: (outcome: string, rival: string) => boolean) =>
    outcomes.flatMap(([rival = '', outcome = '']) => (wins(outcome, rival) ? [rival] : []))
  return {
    ...Object.fromEntries(RIVALS.map((rival) => [`× ${rival}`, printed(beside(rival))])),
    'wins against': those((outcome) => outcome === name).join(', '),
    'loses to': those((outcome, rival) => outcome === rival).join(', '),
  }
}
