// A block of a document as a module of its own: with what a fragment leaves out, and in the syntax that CommonJS allows.

const IMPORT = /^import\s[\s\S]*?from\s+'[^']+'.*$/gm

/** What a fragment may use without saying where it comes from, beside what the packages export. */
const USUAL = {
  createReadStream: "import { createReadStream } from 'node:fs'",
  createServer: "import { createServer } from 'node:http'",
  express: "import express from 'express'",
  Fastify: "import Fastify from 'fastify'",
  http: "import * as http from 'node:http'",
  readFileSync: "import { readFileSync } from 'node:fs'",
  stat: "import { stat } from 'node:fs/promises'",
  AuthorizerOptions: "import type { AuthorizerOptions } from '@fastcgi/express'",
  client: "declare const client: import('@fastcgi/client').FastCGIClient",
  server: "declare const server: import('@fastcgi/application').FastCGIServer",
}

const GIVEN = /^<!--\s*given:\s*(.*?)\s*-->$/

/**
 * Adds the imports of a fragment, a block without any: those of the package that its document is about first. What else it
 * leaves out is in a comment before it: `<!-- given: const root = '/srv' -->`.
 */
export function completed({ document, code: shown, comments }, exportsOf) {
  const given = comments.flatMap((comment) => GIVEN.exec(comment)?.[1] ?? [])
  const code = [...given, shown].join('\n')
  if (/^import\s/m.test(shown)) return code
  const lines = []
  const known = new Set(
    [...code.matchAll(/\b(?:const|let|function|class)\s+\{?\s*(\w+)/g)].map(([, name]) => name),
  )
  const [, own] = /^packages\/([^/]+)\//.exec(document) ?? []
  const first = `@fastcgi/${own ?? (/\bregister\(/.test(code) ? 'fastify' : 'express')}`
  const packages = Object.entries(exportsOf).sort(
    ([a], [b]) => Number(b === first) - Number(a === first),
  )
  const add = (name, line) => {
    if (known.has(name) || !new RegExp(`(?<![.\\w'])${name}\\b(?!['/:])`).test(code)) return
    known.add(name)
    lines.push(line)
  }
  for (const [name, names] of packages)
    for (const each of names) add(each, `import { ${each} } from '${name}'`)
  for (const [name, line] of Object.entries(USUAL)) add(name, line)
  add('app', `declare const app: ${appOf(code)}`)
  return `${lines.join('\n')}\n${code}\nexport {}\n`
}

function appOf(code) {
  return /\bregister\(|\breply\b/.test(code)
    ? "import('fastify').FastifyInstance"
    : "import('express').Express"
}

/** Lines that stand at the top of a module. */
const TOP = /^declare\s.*$/gm

/** The code with everything behind its imports in a function, since CommonJS has no await outside of one. */
export function withoutTopLevelAwait(code) {
  if (!/^(?:\S.*)?\bawait\b/m.test(code)) return code
  const top = [...code.matchAll(IMPORT), ...code.matchAll(TOP)].join('\n')
  const rest = code
    .replace(IMPORT, '')
    .replace(TOP, '')
    .replace(/^export (?:\{\}$)?/gm, '')
  return `${top}\nasync function main() {\n${rest}}\nmain()\n`
}

/** The code with require() in the place of import. */
export function asCommonJS(code) {
  return withoutTopLevelAwait(code).replace(
    /^import\s+(\{[^}]*\}|\w+)\s+from\s+('[^']+')/gm,
    'const $1 = require($2)',
  )
}
