// Uses the packages as they are published: in an empty project, with plain npm, as the documents say.
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { checkExamples } from './examples.mjs'
import { checkRecipes } from './recipes.mjs'
import { run } from './run.mjs'
import { checkTypes } from './types.mjs'

/**
 * @param {string} directory of the project; it is made.
 * @param {readonly string[]} tarballs of all packages.
 * @yields {[name: string, problems: string[]]} what was checked, and what is wrong with it.
 */
export async function* checkConsumers(directory, tarballs) {
  mkdirSync(directory)
  cpSync('scripts/packed/package.json', join(directory, 'package.json'))
  const npm = ['install', '--no-audit', '--no-fund', '--no-save', ...tarballs]
  const { status, output } = await run('npm', npm, directory)
  if (status !== 0) {
    yield ['npm install of the tarballs', [output]]
    return
  }
  yield* checkExamples(directory)
  yield* checkTypes(directory)
  yield* checkRecipes(directory)
}
