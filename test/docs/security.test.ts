/** SECURITY.md: every promise names tests, they exist, its links lead to something, and it can be found. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { WORKSPACE } from '../helpers/documents.ts'

const read = (path: string): string => readFileSync(join(WORKSPACE, path), 'utf8')
const text = read('SECURITY.md')

/** Rows of the tables whose last column is "held by". */
function promises(): Array<{ promise: string; tests: string[] }> {
  const [, section = ''] = text.split('\n## Promises\n')
  return (section.split('\n## ', 1)[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (promise|-)/.test(line))
    .map((line) => {
      const [, promise = '', heldBy = ''] = line.split('|').map((cell) => cell.trim())
      return { promise, tests: [...heldBy.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name) }
    })
}

t.test('every promise names tests that exist', async (t) => {
  const all = promises()
  t.ok(all.length > 25, 'there are some')
  for (const { promise, tests } of all) {
    t.ok(tests.length > 0, promise)
    for (const path of tests) {
      t.match(path, /^(test|packages\/[a-z-]+\/test)\/.*\.test\.ts$/, promise)
      t.ok(existsSync(join(WORKSPACE, path)), path)
    }
  }
})

t.test('every option that it names is documented', async (t) => {
  const documents = ['gateway', 'fastify', 'express', 'application'].map((name) =>
    read(`packages/${name}/README.md`),
  )
  const all = [...documents, read('docs/status.md'), read('docs/authorizers.md')].join('\n')
  for (const option of [
    'reserveParams',
    'maxBodySize',
    'spoolMemory',
    'spoolBodies',
    'failOpen',
    'followSymlinks',
    'actions',
    'serverName',
  ])
    t.ok(text.includes(option) && all.includes(`\`${option}\``), option)
})

t.test('it is linked, and its links lead to files', async (t) => {
  t.match(read('README.md'), /\]\(SECURITY\.md\)/)
  t.match(read('docs/README.md'), /\]\(\.\.\/SECURITY\.md\)/)
  for (const [, link = ''] of text.matchAll(/\]\((?!https:)([^)]+)\)/g)) {
    const [path = '', anchor] = link.split('#', 2)
    t.ok(path === '' || existsSync(join(WORKSPACE, path)), link)
    const headings = [...(path === '' ? text : read(path)).matchAll(/^#+ (.*)$/gm)].map(
      ([, title = '']) =>
        title
          .toLowerCase()
          .replace(/[^a-z0-9 -]/g, '')
          .replaceAll(' ', '-'),
    )
    t.ok(anchor === undefined || headings.includes(anchor), link)
  }
})
