import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { barChart } from './bar-chart.ts'
import { lastResults, type Results } from './results.ts'

const DOCS = new URL('../../../docs/', import.meta.url)
/** Ours stand out in the plot. */
const OURS: ReadonlySet<string> = new Set(['http', 'fastify', 'express'])

/** Writes docs/speed.md and docs/speed.svg of what the benchmarks found last; returns the path of the first. */
export function writeDocument(benchmarks: readonly string[]): string {
  const all = benchmarks.map(lastResults).filter((results) => results !== undefined)
  const gateway = all.find(({ benchmark }) => benchmark === 'gateway')
  if (gateway !== undefined) writeFileSync(new URL('speed.svg', DOCS), plot(gateway))
  const file = new URL('speed.md', DOCS)
  writeFileSync(
    file,
    [
      '# Speed\n',
      'Made by `npm run bench`; how it measures stands in [benchmarks/README.md](../benchmarks/README.md). Read the ratios:',
      'absolute figures move with the machine.\n',
      ...(gateway === undefined ? [] : ['![CPU per request](speed.svg)\n']),
      ...all.map(section),
    ].join('\n'),
  )
  return fileURLToPath(file)
}

function plot({ about, rows }: Results): string {
  const bars = rows.map((row) => ({
    label: String(row.name),
    value: Number(row['CPU µs/request']),
    highlighted: OURS.has(String(row.name)),
  }))
  return barChart({ title: about, unit: 'µs', bars })
}

function section({ benchmark, about, machine, rows }: Results): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [
    `## ${benchmark}\n`,
    `${about}. Node ${machine.node}, ${machine.processors} × ${machine.processor}, ${machine.date}.\n`,
    line(columns),
    line(columns.map((_, at) => (at === 0 ? '---' : '---:'))),
    ...rows.map((row) => line(columns.map((column) => String(row[column] ?? '')))),
    '',
  ].join('\n')
}
