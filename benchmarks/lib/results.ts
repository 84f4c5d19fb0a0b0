// Prints and stores the results of benchmarks.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { fileURLToPath } from 'node:url'

const DIRECTORY = new URL('../../results/', import.meta.url)

/** Results of a benchmark: rows of the table, and the circumstances of the measurement. */
export interface Results<Row = Record<string, string | number>> {
  benchmark: string
  /** What was measured, in a sentence. */
  about: string
  machine: { node: string; system: string; processor: string; processors: number; date: string }
  rows: Row[]
}

/** Prints the results as a table and stores them as JSON. */
export function report<Row extends object>(benchmark: string, about: string, rows: Row[]): void {
  const machine = {
    node: process.version,
    system: `${process.platform} ${release()}`,
    processor: cpus()[0]?.model ?? 'unknown',
    processors: cpus().length,
    date: new Date().toISOString().slice(0, 10),
  }
  const results: Results<Row> = { benchmark, about, machine, rows }
  mkdirSync(DIRECTORY, { recursive: true })
  const file = new URL(`${benchmark}.json`, DIRECTORY)
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
  console.log(`\n${about}`)
  console.table(rows)
  console.log(fileURLToPath(file))
}

/** The latest results of a benchmark; undefined if it has not been run. */
export function lastResults(benchmark: string): Results | undefined {
  try {
    return JSON.parse(readFileSync(new URL(`${benchmark}.json`, DIRECTORY), 'utf8'))
  } catch {
    return undefined
  }
}

/** Removes the results of earlier runs. */
export function forgetResults(benchmarks: readonly string[]): void {
  for (const benchmark of benchmarks)
    rmSync(new URL(`${benchmark}.json`, DIRECTORY), { force: true })
}
