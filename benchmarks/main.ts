/**
 * Runs benchmarks, each in its own process, and writes docs/speed.md from their results.
 * npm run bench [-- NAME… [-- OPTION…]]: micro gateway cache spread php transfer connections; all without a name.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { writeDocument } from './lib/document.ts'

/** Node options of the benchmarks, by name. */
const BENCHMARKS: Readonly<Record<string, readonly string[]>> = {
  micro: ['--expose-gc', '--max-semi-space-size=128', '--min-semi-space-size=128'],
  gateway: [],
  cache: [],
  spread: [],
  php: [],
  transfer: [],
  connections: [],
}

const given = process.argv.slice(2)
const end = given.includes('--') ? given.indexOf('--') : given.length
const options = given.slice(end + 1)
const wanted = end > 0 ? given.slice(0, end) : Object.keys(BENCHMARKS)
for (const name of wanted) {
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
console.log(`\n${writeDocument(Object.keys(BENCHMARKS))}`)
