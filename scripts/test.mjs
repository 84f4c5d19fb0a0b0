// Runs the tests: all files side by side, then those that measure shares and times one by one, with nothing beside them.
// node scripts/test.mjs [OPTION OF tap…]
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'

const tap = 'node_modules/tap/dist/esm/run.mjs'
const options = process.argv.slice(2)
const alone = readdirSync('test/build/alone').filter((name) => name.endsWith('.test.js'))

const statuses = [
  run(),
  run('--jobs=1', '--disable-coverage', ...alone.map((name) => `test/build/alone/${name}`)),
]
process.exitCode = Math.max(...statuses)

function run(...args) {
  const { status } = spawnSync(process.execPath, [tap, ...options, ...args], { stdio: 'inherit' })
  return status ?? 1
}
