// Makes `npm start` and `npm test` work from a fresh clone: installs what is missing, then compiles.
// --packages compiles no tests; --fresh-tests compiles all of them anew, because tsc leaves those of removed sources.
import { spawnSync } from 'node:child_process'
import { readdirSync, statSync, utimesSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** pnpm writes it last; it stays as it is when there was nothing to do, hence the new time that install() gives it. */
const STAMP = 'node_modules/.modules.yaml'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
requireNode(20, 19)
if (!installed()) install()
if (process.argv.includes('--fresh-tests')) node('scripts/clean.mjs', ...compiledTests())
// Who runs an example waits for what it needs, not for the tests.
const projects = process.argv.includes('--packages') ? ['packages/cli', 'packages/php-wasm'] : []
node('node_modules/typescript/bin/tsc', '-b', ...projects)
node('scripts/commonjs-types.mjs')

function requireNode(major, minor) {
  const [have, haveMinor] = process.versions.node.split('.').map(Number)
  if (have > major || (have === major && haveMinor >= minor)) return
  fail(`Node.js ${major}.${minor} or newer is needed; this is ${process.version}.`)
}

function installed() {
  return modified(STAMP) >= modified('pnpm-lock.yaml')
}

function modified(path) {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats === undefined ? 0 : stats.mtimeMs
}

/** One string through the shell: on Windows npx is a batch file. CI: nothing may ask questions. */
function install() {
  console.log('Installing packages with pnpm ...')
  const command = 'npx -y pnpm@12 install --frozen-lockfile'
  const env = { ...process.env, CI: 'true' }
  const { status, stdout, stderr } = spawnSync(command, { shell: true, encoding: 'utf8', env })
  if (status !== 0) fail(`${stdout}${stderr}\nThis failed: ${command}`)
  utimesSync(STAMP, new Date(), new Date())
}

function compiledTests() {
  return ['test/build', ...readdirSync('packages').map((name) => `packages/${name}/test/build`)]
}

function node(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
