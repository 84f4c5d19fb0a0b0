/** Measures how CPU time per request depends on the number of clients and of header fields; ideally it is constant. */
import { parseArgs } from 'node:util'
import { load } from '../lib/load.ts'
import { report, rounded } from '../lib/results.ts'
import { median } from '../lib/statistics.ts'
import { makeWorkplace } from '../lib/workplace.ts'
import { type Contestant, startContestants } from '../servers/contestants.ts'
import { startSink } from '../servers/sink.ts'

const ALL = ['bare-http', 'http', 'fastify', 'nginx']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '1,8,64' },
    fields: { type: 'string', default: '10,30,100' },
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
report('spread', `CPU per request, medians of ${values.rounds} rounds`, rows)
process.exit()

/** One row for each server: its cost at each size, and the ratio of the highest to the lowest. */
async function compare(
  what: string,
  sizes: number[],
  loadOf: (size: number) => [connections: number, fields: number],
): Promise<object[]> {
  const measured = new Map(contestants.map(({ name }) => [name, sizes.map((): number[] => [])]))
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [at, size] of sizes.entries())
      for (const contestant of contestants)
        measured.get(contestant.name)?.[at]?.push(await cost(contestant, ...loadOf(size)))
  const floor = measured.get('bare-http')
  return [...measured].map(([name, costs]) => {
    const overFloor = costs.map((all, at) =>
      median(all.map((figure, round) => figure / (floor?.[at]?.[round] ?? Number.NaN))),
    )
    const ratios = costs[0]?.map((_, round) => {
      const inRound = costs.map((all) => all[round] ?? Number.NaN)
      return Math.max(...inRound) / Math.min(...inRound)
    })
    const figures = costs.map((all) => rounded(median(all)))
    return {
      name,
      by: what,
      sizes: sizes.join(' / '),
      'CPU µs/request': figures.join(' / '),
      'most × least': rounded(median(ratios ?? [])),
      '× bare-http': overFloor.map(rounded).join(' / '),
    }
  })
}

async function cost(contestant: Contestant, connections: number, fields: number): Promise<number> {
  const headers = Array.from({ length: fields }, (_, n) => `X-Field-${n}: value ${n}`)
  const before = contestant.cpuSeconds
  const wish = { port: contestant.port, path: '/index.php', connections, headers }
  const { requests } = await load(place, { ...wish, seconds: Number(values.seconds) })
  return ((contestant.cpuSeconds - before) / requests) * 1e6
}
