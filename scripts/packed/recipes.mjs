// The recipes of docs/modules.md for test runners.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { blocksOf } from './documents.mjs'
import { run } from './run.mjs'

const FILE = /^<!--\s*file:\s*(\S+)\s*-->$/

/** @yields {[name: string, problems: string[]]} */
export async function* checkRecipes(directory) {
  for (const { comments, code } of blocksOf('docs/modules.md')) {
    const name = comments.flatMap((comment) => FILE.exec(comment)?.[1] ?? [])[0]
    if (name === undefined) continue
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), code)
  }
  const inModules = { NODE_OPTIONS: '--experimental-vm-modules' }
  for (const [name, program, env] of [
    ['vitest', ['../node_modules/vitest/vitest.mjs', 'run'], {}],
    ['jest', ['../node_modules/jest/bin/jest.js', '--watchman=false'], inModules],
  ]) {
    const { status, output } = await run(process.execPath, program, join(directory, name), {
      ...env,
      NO_COLOR: '1',
    })
    const passed = status === 0 && /\b1 passed/.test(output)
    yield [`recipe for ${name}`, passed ? [] : [output]]
  }
}
