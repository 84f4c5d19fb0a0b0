/** docs/spellings.md: what each spelling of a private path is answered with, here and by nginx. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { WORKSPACE } from './documents.ts'
import { PRIVATE_METHODS, PRIVATE_TARGETS } from './private-tree.ts'

const FILE = join(WORKSPACE, 'docs/spellings.md')
const HEADINGS = [
  'target',
  'nginx',
  'guard in a Fastify scope',
  'guard on an Express mount',
  'option `guards`',
  'option `deny`',
]

/** What each request was answered with, by method and target. */
export type Answers = ReadonlyMap<string, string>

/** The answers to one target: that to GET, and those to other methods where they differ. */
export function cellOf(answers: Answers, target: string): string {
  const byAnswer = new Map<string, string[]>()
  for (const method of PRIVATE_METHODS) {
    const answer = answers.get(`${method} ${target}`) ?? '-'
    byAnswer.set(answer, [...(byAnswer.get(answer) ?? []), method])
  }
  return [...byAnswer]
    .map(([answer, methods], at) => (at === 0 ? answer : `${methods.join(', ')}: ${answer}`))
    .join('; ')
}

/** The rows of the table, a cell for each heading. @param columns answers of each kind of guard, nginx first. */
export function rowsOf(columns: ReadonlyArray<Answers | undefined>): string[][] {
  return PRIVATE_TARGETS.map((target) => [
    `\`${target}\``,
    ...columns.map((answers) => (answers === undefined ? '' : cellOf(answers, target))),
  ])
}

/** The rows of the document. */
export function committedRows(): string[][] {
  const lines = readFileSync(FILE, 'utf8').split('\n')
  const rows = lines.filter((line) => line.startsWith('| `'))
  return rows.map((line) =>
    line
      .slice(2, -2)
      .split(' | ')
      .map((cell) => cell.trim()),
  )
}

/** Writes the table into the document, below its text. */
export function writeRows(rows: readonly string[][]): void {
  const [text = ''] = readFileSync(FILE, 'utf8').split(/^\| target/m)
  const all = [HEADINGS, ...rows]
  const widths = HEADINGS.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`
  const rule = line(widths.map((width) => '-'.repeat(width)))
  writeFileSync(FILE, `${text}${[line(HEADINGS), rule, ...rows.map(line)].join('\n')}\n`)
}
