/** Chaos and soak: npm run chaos, see options.ts. Exit status 1 when something went wrong. */
import { type ChaosOptions, chaosOptions, USAGE } from './options.ts'
import type { Report } from './report.ts'
import { run } from './run.ts'
import { table } from './table.ts'

let options: ChaosOptions
try {
  options = chaosOptions(process.argv.slice(2))
} catch (error) {
  console.error(`${error}\n${USAGE}`)
  process.exit(2)
}

const { adapters, seconds, seed, together } = options
console.log(`seed ${seed}, ${seconds / 60} minutes of ${adapters.join(', ')}`)
const reports: Report[] = []
if (together) reports.push(...(await Promise.all(adapters.map((name) => run(name, seed, seconds)))))
else for (const name of adapters) reports.push(await run(name, seed, seconds))

for (const { name, clean, details, trace } of reports)
  if (!clean)
    console.log(
      `\n== ${name}\n${details.join('\n')}\n-- the last that happened\n${trace.join('\n')}`,
    )
console.log(`\n${table(reports)}\n\nseed ${seed}`)
process.exitCode = reports.every(({ clean }) => clean) ? 0 : 1
