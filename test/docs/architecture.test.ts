/** What docs/architecture.md and docs/platforms.md name exists, and the first names every room. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { WORKSPACE } from '../helpers/documents.ts'

const PACKAGES = readdirSync(join(WORKSPACE, 'packages'))
const NAMED = namedPaths(readFileSync(join(WORKSPACE, 'docs/architecture.md'), 'utf8'))

t.test('every file and folder it names exists', async (t) => {
  t.ok(NAMED.length > 100, 'it names some')
  t.same(missing(NAMED), [])
})

t.test('so does what docs/platforms.md names', async (t) => {
  const named = namedPaths(readFileSync(join(WORKSPACE, 'docs/platforms.md'), 'utf8'))
  t.ok(named.length > 8, 'it names some')
  t.same(missing(named), [])
})

t.test('every folder in src of a package is named', async (t) => {
  const rooms = PACKAGES.flatMap((name) => foldersIn(name))
  const left = rooms.filter((room) => !NAMED.includes(`${room}/`))
  t.same(left, [], 'a new room has a line in docs/architecture.md')
})

t.test('a file that does not exist is found', async (t) => {
  const text =
    'in `client/pool/pool.ts`, `client/pool/no-such.ts`, `no-such/` and\n```\n`no-code.ts`\n```\n'
  t.same(missing(namedPaths(text)), ['client/pool/no-such.ts', 'no-such/'])
})

/** The paths in backticks: those that end in a slash, or as files of this repository do. */
function namedPaths(markdown: string): string[] {
  const prose = markdown.replace(/^```[\s\S]*?^```/gm, '')
  const spans = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span)
  return spans.filter((span) => /^[\w.-]+(\/[\w.-]+)*(\/|\.(ts|js|mjs|json|md))$/.test(span))
}

function missing(paths: readonly string[]): string[] {
  return paths.filter((path) => !existsSync(join(WORKSPACE, sourceOf(path))))
}

/** `client/pool/` is packages/client/src/pool/; all other paths begin at the root. */
function sourceOf(path: string): string {
  const [first = '', ...rest] = path.split('/')
  return PACKAGES.includes(first) ? ['packages', first, 'src', ...rest].join('/') : path
}

/** The folders in src of a package, as the document names them. */
function foldersIn(name: string): string[] {
  return readdirSync(join(WORKSPACE, 'packages', name, 'src'), {
    recursive: true,
    withFileTypes: true,
  })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).replaceAll('\\', '/'))
    .map((path) => `${name}/${path.slice(path.lastIndexOf('/src/') + '/src/'.length)}`)
}
