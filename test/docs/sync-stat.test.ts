/**
 * In Node 20 and 22, a stat of a socket or FIFO by statSync(), lstatSync() or fstatSync() makes the resolution of later
 * imports through symbolic links fail, unless it asks for bigints. So all of them do.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const FOLDERS = [
  ...readdirSync('packages').map((name) => join('packages', name, 'src')),
  'examples',
]

t.test('sync stats ask for bigints', async (t) => {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.[mc]?[jt]s$/.test(name) && !name.includes('node_modules'))
      .map((name) => join(folder, name)),
  )
  t.ok(files.length > 100)
  for (const file of files)
    for (const [call] of readFileSync(file, 'utf8').matchAll(
      /\b[lf]?statSync\([^;{}]*(\{[^}]*\})?/g,
    ))
      t.match(call, 'bigint: true', `${file}: ${call}`)
})
