// The code that the documents show.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * A code block of any language. `where` is `README.md:12`, its first line; `comments` are the HTML comments before it.
 * @typedef {{ document: string, where: string, language: string, code: string, comments: readonly string[] }} Block
 */

/** The Markdown files that users read, from the root of the repository. */
export function listDocuments() {
  const below = (directory) =>
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
      .map((name) => join(directory, name))
  const packages = readdirSync('packages').map((name) => `packages/${name}/README.md`)
  return ['README.md', 'SECURITY.md', ...packages, ...below('docs'), ...below('examples')]
}

/** @returns {Block[]} */
export function blocksOf(document) {
  const blocks = []
  let comments = []
  let fence
  for (const [at, line] of readFileSync(document, 'utf8').split('\n').entries()) {
    const [, mark, language] = /^\s*(`{3,}|~{3,})\s*(\w*)/.exec(line) ?? []
    if (fence !== undefined) {
      if (line.trim() === fence.mark) fence = undefined
      else fence.block.code += `${line}\n`
    } else if (mark !== undefined) {
      const where = `${document}:${at + 2}`
      const block = { document, where, language, code: '', comments }
      blocks.push(block)
      comments = []
      fence = { mark, block }
    } else if (/^\s*<!--/.test(line)) comments.push(line.trim())
    else if (line.trim() !== '') comments = []
  }
  return blocks
}
