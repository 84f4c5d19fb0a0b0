/** Measures what further workers of `fastcgi serve` bring, over an application that does no work. */
import { parseArgs } from 'node:util'
import { answers } from '../lib/load.ts'
import { Program } from '../lib/program.ts'
import { report } from '../lib/results.ts'
import { cpuOf, inRounds, rateOf, underLoad } from '../lib/rounds.ts'
import { mediansByName, printed, ratiosByName, rounded, winner } from '../lib/statistics.ts'
import { freePort, makeWorkplace } from '../lib/workplace.ts'
import { Contestant } from '../servers/contestants.ts'
import { startSink } from '../servers/sink.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '1' },
    connections: { type: 'string', default: '64' },
    workers: { type: 'string', default: '1,2' },
  },
})
const MAIN = new URL('../../../packages/cli/dist/main.js', import.meta.url).pathname

const place = makeWorkplace()
await startSink(place, 'anywhere')
const counts = values.workers.split(',')
const [one = '1'] = counts
const contestants: Contestant[] = []
for (const count of counts) contestants.push(await startWorkers(count))
const wish = {
  path: '/index.php',
  connections: Number(values.connections),
  seconds: Number(values.seconds),
  place: 'anywhere',
} as const
const measures = await inRounds(Number(values.rounds), contestants, (each) =>
  underLoad(place, each, wish),
)
report(
  'workers',
  `Workers of fastcgi serve: ${values.connections} connections, medians of ${values.rounds} rounds of ${values.seconds} s; load and application use the same processors. What the workers could do with a processor each follows from the CPU time of a request`,
  table(),
)
process.exit()

async function startWorkers(count: string): Promise<Contestant> {
  const port = await freePort()
  const serve = [process.execPath, MAIN, 'serve', place.root, '--port', String(port)]
  const options = ['--workers', count, '--upstream', `unix:${place.socket}`]
  const program = new Program([...serve, ...options], 'anywhere')
  if (!(await answers(port, '/index.php')))
    throw new Error(`fastcgi serve does not answer: ${program.output}`)
  return new Contestant(count, port, [program])
}

function table(): object[] {
  const rate = mediansByName(measures, rateOf)
  const cpu = mediansByName(measures, cpuOf)
  const possible = measures.map((row) => ({ name: row.name, rate: Number(row.name) / row.cpu }))
  const rates = ratiosByName(measures, rateOf, one)
  const possibles = ratiosByName(possible, (row) => row.rate, one)
  return counts.map((name) => ({
    name: `${name} worker${name === '1' ? '' : 's'}`,
    'requests/s': Math.round(rate.get(name) ?? 0),
    [`× ${one}`]: printed(rates.get(name)),
    faster: winner(name, one, rates.get(name), 'higher'),
    'CPU µs/request': rounded(cpu.get(name) ?? Number.NaN),
    'possible/s': Math.round((Number(name) * 1e6) / (cpu.get(name) ?? Number.NaN)),
    [`possible × ${one}`]: printed(possibles.get(name)),
  }))
}
