// Installs versions of Node and of the frameworks by npm, each into a directory of its own.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

/** @returns its version */
export function installFramework(name, range, directory) {
  install({ [name]: range }, directory)
  const manifest = join(directory, 'node_modules', name, 'package.json')
  return JSON.parse(readFileSync(manifest, 'utf8')).version
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

/** npm runs on the Node.js of this process, whichever comes first in PATH. */
function install(dependencies, directory) {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ private: true, dependencies }))
  const command = 'npm install --no-audit --no-fund --no-package-lock --loglevel=error'
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
  }
  // One string through the shell: on Windows npm is a batch file.
  const { status, stdout, stderr } = spawnSync(command, {
    shell: true,
    encoding: 'utf8',
    cwd: directory,
    env,
  })
  if (status !== 0) throw new Error(`${stdout}${stderr}\nThis failed in ${directory}: ${command}`)
}
