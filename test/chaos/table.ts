/** The counts of several runs as a table, one column each. */
import { FAULTS, type Fault, type Report } from './report.ts'

export function table(reports: readonly Report[]): string {
  const rows: string[][] = [['', ...reports.map(({ name }) => name)]]
  for (const what of namesOf(reports.map(({ done }) => done)))
    rows.push([what, ...reports.map(({ done }) => String(done.get(what) ?? 0))])
  for (const what of namesOf(reports.map(({ measured }) => measured)))
    rows.push([what, ...reports.map(({ measured }) => measured.get(what) ?? '')])
  for (const [fault, words] of Object.entries(FAULTS))
    rows.push([words, ...reports.map(({ faults }) => String(faults[fault as Fault]))])
  return layOut(rows)
}

function namesOf(maps: ReadonlyArray<ReadonlyMap<string, unknown>>): string[] {
  return [...new Set(maps.flatMap((map) => [...map.keys()]))].sort()
}

function layOut(rows: readonly string[][]): string {
  const [first = []] = rows
  const widths = first.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
  return rows.map(line).join('\n')
}
