// Runs the compiled tests: node scripts/test.mjs [--fast | --brief | --wasm] [FILE or FOLDER of tests…]
// Most files run side by side; those of test/alone measure shares and times, and run one by one with nothing beside them.
// --brief leaves out test/alone and long random runs; --fast also every file that needs a program of the system. --wasm runs
// those of PHP, with PHP compiled to WebAssembly in the place of php-fpm.
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { isAlone, isBrief, isFast, listTests, PHP_TESTS, selectTests } from './testing/files.mjs'
import { Machine } from './testing/machine.mjs'
import { printFile, printSummary } from './testing/report.mjs'
import { runFile } from './testing/run-file.mjs'

/** Most tests wait for something some of the time. */
const MORE_THAN_PROCESSORS = 1
const OPTIONS = ['--brief', '--fast', '--wasm']

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const started = performance.now()
const args = process.argv.slice(2)
const given = args.filter((arg) => !arg.startsWith('--'))

const files = chooseFiles()
const machine = await Machine.measured()
console.log(
  `${files.length} files; the machine takes ${machine.slowness.toFixed(1)} times as long as an idle one`,
)

const results = []
await runAll(
  files.filter((file) => !isAlone(file)),
  availableParallelism() + MORE_THAN_PROCESSORS,
)
await runAll(files.filter(isAlone), 1)
machine.stop()
printSummary(results, performance.now() - started)
process.exitCode = results.every(({ failures }) => failures.length === 0) ? 0 : 1

function chooseFiles() {
  try {
    const unknown = args.find((arg) => arg.startsWith('--') && !OPTIONS.includes(arg))
    if (unknown !== undefined)
      throw new Error(`unknown option ${unknown}; there are ${OPTIONS.join(', ')}`)
    if (args.includes('--wasm')) process.env.FCGI_TEST_PHP = 'wasm'
    const isAnyPhp = args.includes('--wasm') && given.length === 0
    const selected = selectTests(listTests(), isAnyPhp ? PHP_TESTS : given)
    if (args.includes('--fast')) return selected.filter(isFast)
    return args.includes('--brief') ? selected.filter(isBrief) : selected
  } catch (error) {
    console.error(error.message)
    process.exit(1)
  }
}

async function runAll(queue, jobs) {
  const work = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const result = await runFile(file, machine)
      results.push(result)
      printFile(result)
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
}
