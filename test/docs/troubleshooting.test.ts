/** Every log line of docs/troubleshooting.md is written by a failure that is made here on purpose. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { APPLICATION_FAILURES } from '../helpers/application-failures.ts'
import { WORKSPACE } from '../helpers/documents.ts'
import type { Failure } from '../helpers/log-lines.ts'
import { PHP_FAILURES, SCRIPTS } from '../helpers/php-failures.ts'
import { NEEDS_FPM, phpFpm } from '../helpers/php-site.ts'
import { until } from '../helpers/wait.ts'

/** The column "the log says" of all tables, as patterns: `…` stands for what differs. */
const ROWS = readFileSync(join(WORKSPACE, 'docs/troubleshooting.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) => /^`([^`]+)`$/.exec(line.split(/(?<!\\)\|/)[2]?.trim() ?? '')?.[1])
  .filter((text) => text !== undefined)

function patternOf(text: string): RegExp {
  const parts = text.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`)
}

t.test('the lines of the document', NEEDS_FPM, async (t) => {
  const root = t.testdir(SCRIPTS)
  const php = await phpFpm(t, { children: 3 })
  const all: Readonly<Record<string, Failure>> = { ...PHP_FAILURES, ...APPLICATION_FAILURES }
  const found = new Set<string>()
  for (const [what, fail] of Object.entries(all)) {
    const lines = await fail(t, { upstream: php.address, root })
    await until(`a line of: ${what}`, () => lines.length > 0)
    const rows = ROWS.filter((text) => lines.some((line) => patternOf(text).test(line)))
    t.ok(rows.length > 0, `${what} is in the document`, { lines })
    for (const text of rows) found.add(text)
  }
  t.strictSame(
    ROWS.filter((text) => !found.has(text)),
    [],
    'each of its lines has been written',
  )
  t.ok(ROWS.length >= 30)
})
