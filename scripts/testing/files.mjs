// The files of tests, by the paths of their sources.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

/** Asks for a program of the system, and skips a test where it is missing. */
const REQUIRE_PROGRAM = 'test/helpers/require-program.ts'

/** Thousands of random runs each, which take as long as all others of `--fast` together. */
const RANDOM_RUNS = [
  'application/multiplexing',
  'client/multiplex-random',
  'client/multiplexing-pair',
]

/** The tests of what PHP does, whichever PHP it is. */
export const PHP_TESTS = [
  'test/php',
  'test/files',
  'test/authorizer/programs.test.ts',
  'test/sites/dokuwiki-mounted.test.ts',
]

/** Something of every package, most of it with a real php-fpm: what another version of Node.js would break first. */
export const SMOKE_TESTS = [
  'packages',
  'test/application/http.test.ts',
  'test/application/listen.test.ts',
  'test/cache/answers.test.ts',
  'test/cli/request.test.ts',
  'test/cli/serve.test.ts',
  'test/cli/serve-https.test.ts',
  'test/cli/serve-workers.test.ts',
  'test/client/php.test.ts',
  'test/client/timeouts.test.ts',
  'test/docs/examples.test.ts',
  'test/docs/limits.test.ts',
  'test/files/sendfile.test.ts',
  'test/gateway/early-answers.test.ts',
  'test/gateway/express-proxy.test.ts',
  'test/gateway/fastify-proxy.test.ts',
  'test/gateway/http2.test.ts',
  'test/php',
  'test/php-wasm/requests.test.ts',
  'test/process-manager/php.test.ts',
]

/** The tests of the adapters, those of both and those of one. */
export const FRAMEWORK_TESTS = {
  both: [
    'test/authorizer/paths.test.ts',
    'test/authorizer/places.test.ts',
    'test/authorizer/redirected.test.ts',
    'test/docs/examples.test.ts',
    'test/gateway/errors.test.ts',
    'test/gateway/fields.test.ts',
    'test/gateway/mount.test.ts',
    'test/gateway/targets.test.ts',
    'test/php',
    'test/status/mounting.test.ts',
    'test/status/permission.test.ts',
  ],
  express: ['test/gateway/compression.test.ts', 'test/gateway/express-proxy.test.ts'],
  fastify: [
    'test/authorizer/fastify.test.ts',
    'test/fastify',
    'test/gateway/fastify-hooks.test.ts',
    'test/gateway/fastify-proxy.test.ts',
    'test/gateway/fastify-reply.test.ts',
  ],
}

/** All files of tests; those of test/ first, which take longer. */
export function listTests() {
  const directories = ['test', ...readdirSync('packages').map((name) => `packages/${name}/test`)]
  return directories.flatMap((directory) => testsBelow(directory))
}

function testsBelow(directory) {
  const names = attempt(() => readdirSync(directory, { recursive: true })) ?? []
  return names
    .filter((name) => name.endsWith('.test.ts') && !name.startsWith('build'))
    .map((name) => `${directory}/${name}`)
    .sort()
}

/** The files that were named, or lie in folders that were; all of them when nothing was. @throws for a name that is none */
export function selectTests(files, given) {
  if (given.length === 0) return files
  const selected = given.map((path) => {
    const name = relative('.', path)
    return files.filter((file) => file === name || file.startsWith(`${name}/`))
  })
  const at = selected.findIndex((each) => each.length === 0)
  if (at !== -1) throw new Error(`there are no tests in ${given[at]}`)
  return files.filter((file) => selected.some((each) => each.includes(file)))
}

/** test/client/queue.test.ts -> test/build/client/queue.test.js */
export function compiled(file) {
  return file.replace(/^(.*?)test\/(.*)\.ts$/, '$1test/build/$2.js')
}

/** Whether it measures shares or times, and hence needs the machine for itself. */
export function isAlone(file) {
  return file.startsWith('test/alone/')
}

/** Whether it does not take long. */
export function isBrief(file) {
  return !RANDOM_RUNS.some((name) => file === `test/${name}.test.ts`) && !isAlone(file)
}

/** Whether it needs no program of the system, and not much time. */
export function isFast(file) {
  return isBrief(file) && !needsProgram(file)
}

/** Whether a test, or a helper that it imports, asks for a program of the system. */
function needsProgram(file, seen = new Set()) {
  if (file === REQUIRE_PROGRAM) return true
  if (seen.has(file)) return false
  seen.add(file)
  const imports = readFileSync(file, 'utf8').matchAll(/from '(\.[^']+\.ts)'/g)
  return [...imports].some(([, path]) => needsProgram(join(dirname(file), path), seen))
}

function attempt(action) {
  try {
    return action()
  } catch {
    return undefined
  }
}
