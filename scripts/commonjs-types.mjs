// Writes dist/index.d.cts of every package: its types for CommonJS. There is one build, of ES modules, which Node loads by
// require() as well; but TypeScript before 5.8, and with module: node16 any TypeScript, refuses to require() what has only
// the types of an ES module. Each file takes the types from index.d.ts, so that there is one declaration of everything.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PACKAGES = new URL('../packages/', import.meta.url)
const FROM = "from './index.js' with { 'resolution-mode': 'import' }"

for (const name of readdirSync(PACKAGES)) {
  const index = new URL(`${name}/dist/index.js`, PACKAGES)
  const { exports } = JSON.parse(readFileSync(new URL(`${name}/package.json`, PACKAGES), 'utf8'))
  if (exports?.['.'] === undefined || !existsSync(index)) continue
  const types = declarations(await import(index.href))
  const file = fileURLToPath(new URL('index.d.cts', index))
  if (!existsSync(file) || readFileSync(file, 'utf8') !== types) writeFileSync(file, types)
}

/** Declares the values of a module; each hides the type-only export of its name. */
function declarations({ default: main, ...values }) {
  const lines = [`import type * as esm ${FROM}`, `export type * ${FROM}`]
  for (const [name, value] of Object.entries(values)) {
    lines.push(`export declare const ${name}: typeof esm.${name}`)
    if (isClass(value)) lines.push(`export type ${name} = esm.${name}`)
    if (value === main) lines.push(`export { ${name} as default }`)
  }
  return `${lines.join('\n')}\n`
}

function isClass(value) {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
}
