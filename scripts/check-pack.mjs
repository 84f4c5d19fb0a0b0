// Packs every package as it would be published, has publint and attw look at the tarballs, compares their sizes with the
// limits, and uses them in an empty project.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { exceededLimits } from './package-limits.mjs'
import { checkConsumers } from './packed/consumers.mjs'

const ATTW = fileURLToPath(
  new URL('dist/index.js', import.meta.resolve('@arethetypeswrong/cli/package.json')),
)

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const directory = mkdtempSync(join(tmpdir(), 'pack-'))
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))

for (const build of [['node_modules/typescript/bin/tsc', '-b'], ['scripts/commonjs-types.mjs']])
  if (spawnSync(process.execPath, build, { stdio: 'inherit' }).status !== 0)
    fail(`This failed: ${build.join(' ')}`)
const tarballs = []
for (const name of readdirSync('packages')) {
  const manifest = JSON.parse(readFileSync(`packages/${name}/package.json`, 'utf8'))
  const tarball = pack(name)
  tarballs.push(tarball)
  report(manifest.name, await check(name, manifest, tarball), 'fit to be published')
}
for await (const [name, problems] of checkConsumers(join(directory, 'project'), tarballs))
  report(name, problems, 'ok')

function report(name, problems, fine) {
  console.log([name, ...(problems.length > 0 ? problems : [fine])].join('\n  '))
  if (problems.length > 0) process.exitCode = 1
}

/** What is wrong with a package. */
async function check(name, manifest, tarball) {
  const problems = existsSync(`packages/${name}/README.md`) ? [] : ['there is no README.md']
  if (manifest.exports?.['.'] !== undefined && manifest.exports['.'].types?.require === undefined)
    problems.push("exports['.'] has no types for CommonJS: types.require, ./dist/index.d.cts")
  problems.push(...exceededLimits(name, tarball))
  const bytes = new Uint8Array(readFileSync(tarball))
  const { messages } = await publint({ pack: { tarball: bytes.buffer }, strict: true })
  problems.push(
    ...messages
      .filter((message) => !areTypesOfRequire(message))
      .map((message) => `publint: ${formatMessage(message, manifest, { color: false })}`),
  )
  // A command without exports has no types that anybody could import.
  if (manifest.exports !== undefined) {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [
        ATTW,
        tarball,
        '--profile',
        'esm-only',
        '--ignore-rules',
        'false-cjs',
        'cjs-resolves-to-esm',
      ],
      {
        encoding: 'utf8',
      },
    )
    if (status !== 0) problems.push(`attw: ${stdout}${stderr}`)
  }
  return problems
}

/** Types of CommonJS for a build of ES modules are meant to be: Node loads it by require(). */
function areTypesOfRequire({ code, path }) {
  return code === 'EXPORTS_TYPES_INVALID_FORMAT' && path.join(' ') === 'exports . types require'
}

/**
 * The path of the tarball. pnpm makes it, for it puts versions in the place of `workspace:^`. One string through the
 * shell: on Windows npx is a batch file.
 */
function pack(name) {
  const target = join(directory, name)
  const command = `npx -y pnpm@12 pack --pack-destination "${target}"`
  const cwd = `packages/${name}`
  const { status, stdout, stderr } = spawnSync(command, { shell: true, encoding: 'utf8', cwd })
  if (status !== 0) fail(`${stdout}${stderr}\nThis failed in ${cwd}: ${command}`)
  return join(target, readdirSync(target)[0])
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
