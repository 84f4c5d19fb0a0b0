/**
 * Runs benchmarks, each in its own process. npm run bench [-- NAME… [-- OPTION…]]. Without a name all of them are run, and
 * docs/speed.md is written from their results; for that the machine must have nothing else to do.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { writeDocument } from './lib/document.ts'
import { busyShare } from './lib/idle.ts'
import { forgetResults } from './lib/results.ts'

/** Node options of the benchmarks, by name. */
const BENCHMARKS: Readonly<Record<string, readonly string[]>> = {
  micro: ['--expose-gc', '--max-semi-space-size=128', '--min-semi-space-size=128'],
  gateway: [],
  cache: [],
  spread: [],
  php: [],
  transfer: [],
  files: [],
  workers: [],
  connections: [],
}

/** What may be running beside a benchmark whose results are to be published: a share of the processors. */
const MOST_BUSY = 0.05

const given = process.argv.slice(2)
const end = given.includes('--') ? given.indexOf('--') : given.length
const options = given.slice(end + 1)
const names = given.slice(0, end)
if (names.length > 0) for (const name of names) run(name)
else {
  const busy = await busyShare(3000)
  if (busy > MOST_BUSY)
    throw new Error(
      `other programs use ${Math.round(busy * 100)} % of the processors: end them, or name the benchmarks to run, which then are not written to docs/speed.md`,
    )
  forgetResults(Object.keys(BENCHMARKS))
  for (const name of Object.keys(BENCHMARKS)) run(name)
  console.log(`\n${writeDocument(Object.keys(BENCHMARKS))}`)
}
console.log(`\n${Math.round(performance.now() / 1000)} s`)

function run(name: string): void {
  const flags = BENCHMARKS[name]
  if (flags === undefined)
    throw new Error(
      `there is no benchmark ${name}; there are ${Object.keys(BENCHMARKS).join(', ')}`,
    )
  console.log(`\n== ${name}`)
  const runner = fileURLToPath(new URL(`./runners/${name}.js`, import.meta.url))
  const { status } = spawnSync(process.execPath, [...flags, runner, ...options], {
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
}
