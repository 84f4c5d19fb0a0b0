/**
 * docs/migrate/mod_fastcgi.md. Debian has no mod_fastcgi any more, so the answers of the original are recorded in a file.
 * With FCGI_TEST_MOD_FASTCGI=/path/of/mod_fastcgi.so the original is asked, and the file written anew.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { comparePairs, installed, type Original } from './compare.ts'
import { readDocument } from './document.ts'
import { NEEDS_PERL } from './stage.ts'
import type { View } from './view.ts'

const RECORDED = join(process.cwd(), 'test/fixtures/migrate/mod_fastcgi.json')

/** Views by pair and request. */
type Recording = Record<string, Record<string, View>>

const recorded: Original = async (_t, { name }) => {
  const recording: Recording = JSON.parse(readFileSync(RECORDED, 'utf8'))
  return async ({ label }) => {
    const view = recording[name]?.[label]
    if (view === undefined) throw new Error(`${RECORDED} has no answer to ${label} of ${name}`)
    return view
  }
}

const recording: Recording = {}
const asked: Original = async (t, pair, stage) => {
  const original = await installed('apache2')(t, pair, stage)
  return async (request) => {
    const view = await original(request)
    recording[pair.name] = { ...recording[pair.name], [request.label]: view }
    return view
  }
}

const module = process.env.FCGI_TEST_MOD_FASTCGI

t.test('pairs', NEEDS_PERL, async (t) => {
  await comparePairs(t, readDocument('mod_fastcgi'), module === undefined ? recorded : asked)
  if (module !== undefined) writeFileSync(RECORDED, `${JSON.stringify(recording, null, 2)}\n`)
})
