/** Measures how CPU time per request depends on the number of clients and of header fields; ideally it is constant. */
import { parseArgs } from 'node:util'
import { report } from '../lib/results.ts'
import { cpuOf, inRounds, type Measured, underLoad } from '../lib/rounds.ts'
import { mediansByName, ratiosByName, rounded, winner } from '../lib/statistics.ts'
import { makeWorkplace } from '../lib/workplace.ts'
import { startContestants } from '../servers/contestants.ts'
import { startSink } from '../servers/sink.ts'

const ALL = ['bare-http', 'http', 'fastify', 'nginx']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '1' },
    connections: { type: 'string', default: '1,64' },
    fields: { type: 'string', default: '10,100' },
  },
})
const numbers = (list: string) => list.split(',').map(Number)
const place = makeWorkplace()
await startSink(place)
const contestants = await startContestants(place, positionals.length > 0 ? positionals : ALL)
const rows = [
  ...(await compare('connections', numbers(values.connections), (connections) => [connections, 0])),
  ...(await compare('header fields', numbers(values.fields), (fields) => [64, fields])),
]
report('spread', `CPU per request, medians of ${values.rounds} rounds of ${values.seconds} s`, rows)
process.exit()

/**
 * One row for each server: its cost at each size, and the ratio of the highest to the lowest. The sizes take turns, too, for it
 * is they that are compared.
 */
async function compare(
  what: string,
  sizes: number[],
  loadOf: (size: number) => [connections: number, fields: number],
): Promise<object[]> {
  const rounds = await inRounds(Number(values.rounds), contestants, async (contestant) => {
    const costs: Measured[] = []
    for (const size of sizes) costs.push(await underLoad(place, contestant, wish(...loadOf(size))))
    return { name: contestant.name, costs }
  })
  const bySize = sizes.map((_, at) => rounds.map(({ costs }) => costs[at] as Measured))
  const perSize = (figure: (measures: readonly Measured[]) => string | number | undefined) =>
    bySize.map(figure).join(' / ')
  const spread = mediansByName(rounds, ({ costs }) => {
    const figures = costs.map(cpuOf)
    return Math.max(...figures) / Math.min(...figures)
  })
  return contestants.map(({ name }) => ({
    name,
    by: what,
    sizes: sizes.join(' / '),
    'CPU µs/request': perSize((all) => rounded(mediansByName(all, cpuOf).get(name) ?? 0)),
    'most × least': rounded(spread.get(name) ?? Number.NaN),
    '× bare-http': perSize((all) =>
      rounded(ratiosByName(all, cpuOf, 'bare-http').get(name)?.median ?? Number.NaN),
    ),
    'cheaper, it or nginx':
      name === 'nginx'
        ? ''
        : perSize((all) =>
            winner(name, 'nginx', ratiosByName(all, cpuOf, 'nginx').get(name), 'lower'),
          ),
  }))
}

function wish(connections: number, fields: number) {
  const headers = Array.from({ length: fields }, (_, n) => `X-Field-${n}: value ${n}`)
  return { path: '/index.php', connections, headers, seconds: Number(values.seconds) }
}
