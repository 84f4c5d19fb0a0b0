// What the documents show is compiled, as ES modules and as CommonJS, by several versions of TypeScript.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { blocksOf, listDocuments } from './documents.mjs'
import { completed, withoutTopLevelAwait } from './modules.mjs'
import { run } from './run.mjs'

/** Package names of scripts/packed/package.json. */
const COMPILERS = ['typescript-5.6', 'typescript-5.9', 'typescript-6', 'typescript']
const MODULES = ['node16', 'nodenext', 'preserve']
const STRICT = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  target: 'es2023',
  lib: ['es2023'],
  types: ['node'],
  noEmit: true,
}

/** @yields {[name: string, problems: string[]]} */
export async function* checkTypes(directory) {
  const blocks = await writeBlocks(directory)
  const jobs = COMPILERS.flatMap((compiler) =>
    MODULES.map((module) => ({
      compiler,
      name: `types of ${blocks} blocks, ${compiler}, module ${module}`,
      options: {
        ...STRICT,
        module,
        moduleResolution: module === 'preserve' ? 'bundler' : module,
        // Our own declarations, too, by the compiler that is fast enough.
        skipLibCheck: compiler !== 'typescript',
      },
      include: ['blocks/*.mts', 'blocks/*.cts'],
    })),
  )
  for (const types of ['express', 'express4'])
    jobs.push({
      compiler: 'typescript',
      name: `types of ${blocks} blocks, @types/${types}`,
      options: {
        ...STRICT,
        module: 'nodenext',
        skipLibCheck: true,
        paths: { express: [`./node_modules/@types/${types}`] },
      },
      include: ['blocks/*.mts'],
    })
  jobs.push({
    compiler: 'typescript-5.9',
    name: 'types of README.md, typescript-5.9, module commonjs, moduleResolution node10',
    options: {
      ...STRICT,
      module: 'commonjs',
      moduleResolution: 'node10',
      esModuleInterop: true,
      skipLibCheck: true,
    },
    include: ['blocks/README.md_*.cts'],
  })
  for (let at = 0; at < jobs.length; at += availableParallelism())
    yield* await Promise.all(
      jobs.slice(at, at + availableParallelism()).map((job) => compile(directory, job)),
    )
}

/** @returns how many there are. */
async function writeBlocks(directory) {
  mkdirSync(join(directory, 'blocks'))
  const exportsOf = {}
  const { dependencies } = JSON.parse(readFileSync('packages/cli/package.json', 'utf8'))
  for (const name of Object.keys(dependencies).filter((name) => name.startsWith('@fastcgi/'))) {
    const { main } = JSON.parse(
      readFileSync(join(directory, 'node_modules', name, 'package.json'), 'utf8'),
    )
    const file = join(directory, 'node_modules', name, main)
    exportsOf[name] = Object.keys(await import(pathToFileURL(file).href))
  }
  const shown = listDocuments()
    .flatMap(blocksOf)
    .filter(({ language }) => /^[mc]?[jt]s$/.test(language))
    // Programs of frameworks are compiled with the workspace.
    .filter(({ comments }) => !comments.some((comment) => /test:\s*file/.test(comment)))
  for (const block of shown) {
    const name = join(directory, 'blocks', block.where.replace(/[/:]/g, '_'))
    const code = completed(block, exportsOf)
    writeFileSync(`${name}.mts`, code)
    // The types that Vitest has for CommonJS are not for node16.
    if (!code.includes("from 'vitest'")) writeFileSync(`${name}.cts`, withoutTopLevelAwait(code))
  }
  return shown.length
}

let count = 0

async function compile(directory, { compiler, name, options, include }) {
  const config = join(directory, `tsconfig.${++count}.json`)
  writeFileSync(config, JSON.stringify({ compilerOptions: options, include }))
  const tsc = join('node_modules', compiler, 'bin/tsc')
  const { status, output } = await run(process.execPath, [tsc, '-p', config], directory)
  return [name, status === 0 ? [] : [output]]
}
