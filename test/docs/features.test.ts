/** The tests that docs/features.md names exist. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { WORKSPACE } from '../helpers/documents.ts'

t.test('every test of the column "shown by" exists', async (t) => {
  const rows = readFileSync(join(WORKSPACE, 'docs/features.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| id'))
  const named = rows.flatMap((row) => {
    const column = row.split(/(?<!\\)\|/).at(-2) ?? ''
    return [...column.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
  })
  t.ok(named.length > 50, 'it names some')
  t.same(
    named.filter((name) => !existsSync(pathOf(name))),
    [],
  )
})

/** `gateway/fields` is test/gateway/fields.test.ts, `gateway/` all of that folder. */
function pathOf(name: string): string {
  const path = name.startsWith('packages/') ? name : `test/${name}`
  return join(WORKSPACE, path.endsWith('/') ? path : `${path}.test.ts`)
}
