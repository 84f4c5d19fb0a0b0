/**
 * What docs/migrate says, taken out of the Markdown: pairs of configurations, the original's and ours, and the table of
 * their differences. A pair begins with a comment:
 *
 *     <!-- pair: nginx-wordpress, requests: php -->
 *
 * The first block of code after it is the original's configuration, the next block of JavaScript is ours.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { WORKSPACE } from '../helpers/documents.ts'

/** Two configurations that are to answer alike. */
export interface Pair {
  name: string
  /** Names of the lists of requests that both get. */
  requests: string[]
  original: string
  ours: string
}

/** A row of the table of differences. */
export interface Listed {
  /** Names of pairs; empty for all. */
  pairs: string[]
  /** Labels of requests; empty for any. */
  requests: string[]
  /** `status`, `body`, names of fields and params. */
  aspects: string[]
  original: string
  here: string
}

export interface MigrationDocument {
  path: string
  pairs: Pair[]
  differences: Listed[]
}

/** Reads a document of docs/migrate, by its name without the ending. @throws Error if it is not as it has to be */
export function readDocument(name: string): MigrationDocument {
  const path = `docs/migrate/${name}.md`
  const text = readFileSync(join(WORKSPACE, path), 'utf8')
  return { path, pairs: pairsOf(path, text), differences: differencesOf(path, text) }
}

function pairsOf(path: string, text: string): Pair[] {
  const [, ...parts] = text.replace(/^<!-- behind: [\s\S]*/m, '').split(/^<!-- pair: /m)
  const pairs = parts.map((part) => {
    const [, name = '', requests = ''] = /^([\w-]+), requests: ([\w, -]+) -->/.exec(part) ?? []
    const [original, ours, ...more] = blocksOf(part)
    if (name === '' || original === undefined || ours === undefined)
      throw new Error(`${path}: a pair is a comment, a configuration and JavaScript: ${part}`)
    if (ours.language !== 'js' || more.some(({ language }) => language === 'js'))
      throw new Error(`${path}: pair ${name} has not one block of JavaScript`)
    return { name, requests: requests.split(', '), original: original.code, ours: ours.code }
  })
  const shown = blocksOf(text).filter(({ language }) => language === 'js').length
  const behind = text.split(/^<!-- behind: /m).length - 1
  if (shown !== pairs.length + behind)
    throw new Error(`${path}: a block of JavaScript is of no pair`)
  return pairs
}

/** Blocks of code; those that only show something, such as ```ts, are not run. */
export function blocksOf(text: string): Array<{ language: string; code: string }> {
  const found = text.matchAll(/^```([a-z]*)\n([\s\S]*?)^```$/gm)
  return [...found]
    .map(([, language = '', code = '']) => ({ language, code }))
    .filter(({ language }) => language !== 'ts')
}

function differencesOf(path: string, text: string): Listed[] {
  const [, part = ''] = text.split(/^## Differences$/m)
  const [table = ''] = /^(\|.*\n)+/m.exec(part) ?? []
  return table
    .trim()
    .split('\n')
    .slice(2)
    .map((row) => {
      const cells = cellsOf(row)
      const [pairs, requests, aspects, original = '', here = '', because = ''] = cells
      if (because === '' || cells.length !== 6)
        throw new Error(`${path}: a difference has six cells, and the last says why: ${row}`)
      return {
        pairs: codeIn(pairs),
        requests: codeIn(requests),
        aspects: codeIn(aspects),
        original,
        here,
      }
    })
}

/** The cells of a row of a table. A bar in a cell is written `\|`. */
export function cellsOf(row: string): string[] {
  const cells = row.trim().split(/(?<!\\)\|/)
  return cells.slice(1, -1).map((cell) => cell.trim().replaceAll('\\|', '|'))
}

/** What stands between backticks. */
export function codeIn(cell = ''): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
}
