/** Files for applications to hand over, and requests to the script that does so. */
import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import { type RawResponse, rawRequest } from './raw-http.ts'

/** When all of the files were changed. */
export const CHANGED = new Date('2020-02-03T04:05:06.789Z')
/** The same as Last-Modified says it. */
export const LAST_MODIFIED = 'Mon, 03 Feb 2020 04:05:06 GMT'

/** 1,000 bytes: the numbers from 0 to 99, one in each line of ten bytes. */
export const LINES = Array.from({ length: 100 }, (_, n) => `${String(n).padStart(9)}\n`).join('')

/** Content by path, below a directory that has `files`, which may be handed over, and what lies beside it. */
const FILES: Readonly<Record<string, string>> = {
  'files/a.txt': LINES,
  'files/page.html': '<h1>page</h1>',
  'files/data': 'no ending',
  'files/empty.txt': '',
  'files/.hidden': 'hidden',
  'files/per%41cent.txt': 'percent',
  'files/com,ma and space.txt': 'comma',
  'files/gr\u00fc\u00df.txt': 'UTF-8',
  'files/sub/b.txt': 'below',
  'files-too/x.txt': 'SECRET that begins alike',
  'outside.txt': 'SECRET outside',
}

/** The directory; gone after the test. */
export function fileSite(t: Test): { base: string; files: string } {
  const base = realpathSync(mkdtempSync(join(tmpdir(), 'fcgi-')))
  t.teardown(() => rmSync(base, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(FILES)) {
    const path = join(base, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
    utimesSync(path, CHANGED, CHANGED)
  }
  const files = join(base, 'files')
  symlinkSync(join(base, 'outside.txt'), join(files, 'link-out.txt'))
  symlinkSync('a.txt', join(files, 'link-in.txt'))
  symlinkSync(base, join(files, 'away'))
  return { base, files }
}

/** What fields.php is to say, and who asks. */
export interface Handed {
  /** Status that the script sets. */
  code?: number
  method?: string
  /** Lines of the request's head. */
  headers?: readonly string[]
  version?: string
  path?: string
}

/** The target by which fields.php sends these fields. */
export function fieldsTarget(fields: readonly string[], { code, path }: Handed = {}): string {
  const query = fields.map((field) => `f[]=${encodeURIComponent(field)}`)
  if (code !== undefined) query.push(`code=${code}`)
  return `${path ?? '/fields.php'}?${query.join('&')}`
}

/** Has fields.php send these fields, on a connection of its own. */
export function handed(
  port: number,
  fields: readonly string[],
  asked: Handed = {},
): Promise<RawResponse> {
  const { method = 'GET', headers = [], version = '1.1' } = asked
  const line = `${method} ${fieldsTarget(fields, asked)} HTTP/${version}`
  const head = [line, 'Host: localhost', 'Connection: close', ...headers]
  return rawRequest(port, `${head.join('\r\n')}\r\n\r\n`)
}
