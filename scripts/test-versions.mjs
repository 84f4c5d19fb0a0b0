// Runs tests on other versions of Node and of the frameworks, which npm brings: node scripts/test-versions.mjs [NAME…], where
// NAME is node@24, fastify@5.0 and so on; without one, all that are named below. The last line has the numbers of all.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FRAMEWORK_TESTS, SMOKE_TESTS } from './testing/files.mjs'
import { installFramework, installNext, installNode } from './testing/versions.mjs'

const REPLACE = new URL('testing/replace-frameworks.mjs', import.meta.url).href
const express = [...FRAMEWORK_TESTS.both, ...FRAMEWORK_TESTS.express]
const fastify = [...FRAMEWORK_TESTS.both, ...FRAMEWORK_TESTS.fastify]

/** What is run on each, as arguments of scripts/test.mjs. */
const RUNS = {
  'node@22': SMOKE_TESTS,
  'node@24': ['--brief'],
  'node@26': SMOKE_TESTS,
  'fastify@5.0': fastify,
  'fastify@latest': fastify,
  'express@4': express,
  'express@5.0': express,
  'express@latest': express,
  'next@latest': ['test/frameworks'],
}

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(RUNS)
const unknown = names.find((name) => !Object.hasOwn(RUNS, name))
if (unknown !== undefined) {
  console.error(`${unknown} is not among ${Object.keys(RUNS).join(', ')}`)
  process.exit(2)
}

const started = performance.now()
const directory = mkdtempSync(join(tmpdir(), 'versions-'))
// Web servers start Node as a user of their own.
chmodSync(directory, 0o755)
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
const sums = { passed: 0, failed: 0, skipped: 0 }
for (const name of names) {
  const numbers = await run(name)
  for (const key of Object.keys(sums)) sums[key] += numbers[key]
}
const seconds = ((performance.now() - started) / 1000).toFixed(1)
console.log(
  `\n${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped; ${names.length} versions in ${seconds} s`,
)
process.exitCode = sums.failed === 0 ? 0 : 1

/** @returns the numbers of its tests; a runner that breaks counts as a failure */
async function run(name) {
  console.log(`\n-- ${name}`)
  const { program, env, version } = prepare(name)
  console.log(version)
  const child = spawn(program, ['scripts/test.mjs', ...RUNS[name]], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
    process.stdout.write(text)
  })
  const [code] = await once(child, 'close')
  const last = /^(\d+) passed, (\d+) failed, (\d+) skipped/m.exec(output) ?? []
  const [passed, failed, skipped] = last.slice(1).map(Number)
  if (passed === undefined || (code !== 0 && failed === 0))
    return { passed: 0, failed: 1, skipped: 0 }
  return { passed, failed, skipped }
}

/** Installs a version, and says how tests are run with it. */
function prepare(name) {
  const place = join(directory, name)
  const [what, range] = name.split('@')
  if (what === 'next') {
    const version = installNext(range, place)
    const env = { FCGI_TEST_NEXT: place, FCGI_TEST_FRAMEWORKS: place }
    return { program: process.execPath, env, version: `Next.js ${version}` }
  }
  if (what !== 'node') {
    const version = installFramework(what, range, place)
    const env = { FCGI_TEST_FRAMEWORKS: place, NODE_OPTIONS: `--import=${REPLACE}` }
    return { program: process.execPath, env, version: `${what} ${version}` }
  }
  const { bin, program, version } = installNode(range, place)
  return { program, env: { PATH: `${bin}${delimiter}${process.env.PATH}` }, version }
}
