// Loaded by `node --import`: FCGI_TEST_FRAMEWORKS names a directory, and what its package.json depends on is imported from
// there, whoever imports it.
import { readFileSync } from 'node:fs'
import { register } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'

const manifest = join(process.env.FCGI_TEST_FRAMEWORKS, 'package.json')
const { dependencies } = JSON.parse(readFileSync(manifest, 'utf8'))

// The thread of the hooks loads this file, too.
if (isMainThread) register(import.meta.url)

export function resolve(specifier, context, nextResolve) {
  const parentURL = Object.hasOwn(dependencies, specifier)
    ? pathToFileURL(manifest).href
    : context.parentURL
  return nextResolve(specifier, { ...context, parentURL })
}
