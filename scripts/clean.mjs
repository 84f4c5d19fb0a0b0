// Removes what builds make: node scripts/clean.mjs [PATH…]; without a path, everything that is built.
import { readdirSync, rmSync } from 'node:fs'

const packages = readdirSync('packages').map((name) => `packages/${name}`)
const tests = ['test/build', ...packages.map((path) => `${path}/test/build`)]
const given = process.argv.slice(2)
const paths =
  given.length > 0 ? given : [...packages.map((path) => `${path}/dist`), ...tests, '.tap']
for (const path of paths) rmSync(path, { recursive: true, force: true })
