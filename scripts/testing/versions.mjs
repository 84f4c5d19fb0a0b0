// Installs versions of Node and of the frameworks by npm, each into a directory of its own.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

/** @returns its version */
export function installFramework(name, range, directory) {
  install({ [name]: range }, directory)
  return versionOf(name, directory)
}

/** Installs Next.js, and builds a site of it that the example of a custom server runs. @returns its version */
export function installNext(range, directory) {
  install({ next: range, react: 'latest', 'react-dom': 'latest' }, directory)
  mkdirSync(join(directory, 'pages/api'), { recursive: true })
  writeFileSync(join(directory, 'pages/index.js'), 'export default () => null\n')
  const api = "export default (_req, res) => res.json({ hello: 'from Node' })\n"
  writeFileSync(join(directory, 'pages/api/index.js'), api)
  run('npx next build', directory)
  return versionOf('next', directory)
}

/** Installs Node from the package that the package `node` installs by a script of its own. */
export function installNode(range, directory) {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  install({ [name]: range }, directory)
  const at = join(directory, 'node_modules', name)
  const manifest = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'))
  const program = join(at, manifest.bin.node)
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  return { program, bin: dirname(program), version: `Node ${stdout.trim()}` }
}

function versionOf(name, directory) {
  const manifest = join(directory, 'node_modules', name, 'package.json')
  return JSON.parse(readFileSync(manifest, 'utf8')).version
}

function install(dependencies, directory) {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ private: true, dependencies }))
  run('npm install --no-audit --no-fund --no-package-lock --loglevel=error', directory)
}

/** Runs a command on the Node.js of this process, whichever comes first in PATH. */
function run(command, directory) {
  const env = {
    ...process.env,
    NEXT_TELEMETRY_DISABLED: '1',
    PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
  }
  // One string through the shell: on Windows npm is a batch file.
  const options = { shell: true, encoding: 'utf8', cwd: directory, env }
  const { status, stdout, stderr } = spawnSync(command, options)
  if (status !== 0) throw new Error(`${stdout}${stderr}\nThis failed in ${directory}: ${command}`)
}
