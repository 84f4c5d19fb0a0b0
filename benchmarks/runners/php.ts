/** Measures throughput and latencies of the gateways with default options in front of php-fpm, by number of clients. */
import { parseArgs } from 'node:util'
import { startPhpFpm } from '#php'
import { load } from '../lib/load.ts'
import { stayWithOthers } from '../lib/program.ts'
import { report } from '../lib/results.ts'
import { inRounds, rateOf } from '../lib/rounds.ts'
import { mediansByName, printed, ratiosByName, rounded, winner } from '../lib/statistics.ts'
import { makeWorkplace } from '../lib/workplace.ts'
import { type Contestant, startContestants } from '../servers/contestants.ts'

const ALL = ['http', 'fastify', 'nginx', 'nginx-no-keepalive', 'php-node']
const SCRIPT = `<?php
header('Content-Type: text/plain');
echo str_repeat('x', 1000), ' ', $_GET['q'] ?? '', "\\n";
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string', default: '1' },
    children: { type: 'string', default: '4' },
    clients: { type: 'string', default: '1,16,64' },
  },
})
const children = Number(values.children)
// php-fpm is started by a helper of the tests, which does not pin it to processors.
stayWithOthers()
const place = makeWorkplace(SCRIPT)
const contestants: Contestant[] = []
const names = positionals.length > 0 ? positionals : ALL
for (const name of names) contestants.push(...(await withPhpOfItsOwn(name)))
const rows: object[] = []
for (const clients of values.clients.split(',').map(Number)) rows.push(...(await compare(clients)))
report(
  'php',
  `php-fpm of ${children} children, default options, medians of ${values.rounds} rounds of ${values.seconds} s`,
  rows,
)
process.exit()

/** Each contestant has its own php-fpm: kept connections occupy children that another contestant would need. */
async function withPhpOfItsOwn(name: string): Promise<Contestant[]> {
  const own = makeWorkplace(SCRIPT)
  await startPhpFpm({
    listen: `unix:${own.socket}`,
    children,
    root: own.root,
    pool: { 'listen.mode': '0666', 'listen.backlog': 4096 },
  })
  return await startContestants(own, [name])
}

async function compare(connections: number): Promise<object[]> {
  const wish = { path: '/index.php?q=1', connections, seconds: Number(values.seconds) }
  const results = await inRounds(Number(values.rounds), contestants, async ({ name, port }) => ({
    name,
    ...(await load(place, { port, ...wish })),
  }))
  const rate = mediansByName(results, rateOf)
  const ratios = ratiosByName(results, rateOf, 'nginx')
  const [p50, p99, p999] = (['p50', 'p99', 'p999'] as const).map((key) =>
    mediansByName(results, (row) => row[key]),
  )
  return contestants.map(({ name }) => ({
    name,
    clients: connections,
    'requests/s': Math.round(rate.get(name) ?? 0),
    '× nginx': printed(ratios.get(name)),
    faster: winner(name, 'nginx', ratios.get(name), 'higher'),
    'p50 ms': rounded(p50?.get(name) ?? 0),
    'p99 ms': rounded(p99?.get(name) ?? 0),
    'p99.9 ms': rounded(p999?.get(name) ?? 0),
    failed: results.reduce((sum, row) => sum + (row.name === name ? row.failed : 0), 0),
  }))
}
