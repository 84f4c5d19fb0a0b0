// Writes docs/speed.md and docs/speed.svg from the results of the benchmarks.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { barChart } from './bar-chart.ts'
import { lastResults, type Results } from './results.ts'

const DOCS = new URL('../../../docs/', import.meta.url)
/** Names of this project's adapters, which the chart highlights. */
const OURS: ReadonlySet<string> = new Set(['http', 'fastify', 'express'])

/** Writes docs/speed.md and docs/speed.svg from the latest results; returns the path of the former. */
export function writeDocument(benchmarks: readonly string[]): string {
  const all = benchmarks.map(lastResults).filter((results) => results !== undefined)
  const gateway = all.find(({ benchmark }) => benchmark === 'gateway')
  if (gateway !== undefined) writeFileSync(new URL('speed.svg', DOCS), plot(gateway))
  const file = new URL('speed.md', DOCS)
  writeFileSync(
    file,
    [
      '# Speed\n',
      `Made by one run of \`npm run bench\` on an idle machine: ${machineOf(all)}.`,
      '[benchmarks/README.md](../benchmarks/README.md) describes the method. Compare the ratios: absolute figures depend on the',
      'machine. Behind a ratio stands between which figures half of the rounds lie; where they differ by more than the two that are',
      'compared, nobody has won and the table says undecided.\n',
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

function machineOf(all: readonly Results[]): string {
  const { machine } = all[0] ?? {}
  return machine === undefined
    ? 'none'
    : `${machine.date}, Node ${machine.node}, ${machine.processors} × ${machine.processor}`
}

function section({ benchmark, about, rows }: Results): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cells = rows.map((row) => columns.map((column) => String(row[column] ?? '')))
  return [`## ${benchmark}\n`, `${about}.\n`, ...markdownTable([columns, ...cells]), ''].join('\n')
}

/** Lines of a Markdown table, padded as the formatter pads them: first column left-aligned, numbers right-aligned. */
function markdownTable(rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(4, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const padded = rows.map((row) =>
    row.map((cell, at) =>
      at === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[at] ?? 0),
    ),
  )
  const rule = widths.map((width, at) =>
    at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  )
  const [head = '', ...body] = padded.map(line)
  return [head, line(rule), ...body]
}
