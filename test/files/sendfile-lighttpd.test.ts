/** The same requests to lighttpd with x-sendfile on, and to the gateway: the same bytes, but for what is listed. */
import { join } from 'node:path'
import t from 'tap'
import { eachAdapter, startAdapter } from '../helpers/adapters.ts'
import { CHANGED, fileSite, type Handed, handed, LAST_MODIFIED } from '../helpers/file-site.ts'
import { lighttpd, NEEDS_LIGHTTPD } from '../helpers/lighttpd.ts'
import { NEEDS_FPM, phpFpm, SITE } from '../helpers/php-site.ts'
import type { RawResponse } from '../helpers/raw-http.ts'

/** A request, and why the two answer it differently, our status first; `%` stands for the directory of files. */
interface Row extends Handed {
  fields: string[]
  differs?: [ours: number, theirs: number, because: string]
}

const A = 'X-Sendfile: %/a.txt'
const range = (value: string, more: Partial<Row> = {}): Row => ({
  fields: [A],
  headers: [`Range: bytes=${value}`],
  ...more,
})
const many = (count: number, step: number): string =>
  Array.from({ length: count }, (_, n) => `${n * step}-${n * step}`).join(',')

const ROWS: Row[] = [
  // X-Sendfile
  { fields: [A] },
  { fields: ['X-LIGHTTPD-send-file: %/a.txt'] },
  { fields: [A, 'X-LIGHTTPD-send-file: %/page.html'] },
  { fields: ['X-Sendfile: %/page.html'] },
  { fields: ['X-Sendfile: %/data'] },
  { fields: ['X-Sendfile: %/.hidden'] },
  { fields: ['X-Sendfile: %/empty.txt'] },
  { fields: ['X-Sendfile: %/link-in.txt'] },
  { fields: ['X-Sendfile: %/sub/../a.txt'] },
  { fields: ['X-Sendfile: %//./a.txt'] },
  { fields: ['X-Sendfile: %/per%2541cent.txt'] },
  { fields: ['X-Sendfile: %/com,ma%20and%20space.txt'] },
  { fields: ['X-Sendfile: '] },
  { fields: [A], method: 'HEAD' },
  {
    fields: [A],
    method: 'POST',
    headers: ['Content-Length: 0', 'Range: bytes=0-1'],
    differs: [200, 200, 'validators would not be those of the answer to a POST (RFC 9110 §8.8)'],
  },
  { fields: [A], version: '1.0', headers: ['Range: bytes=0-1'] },
  // what the application says of it
  {
    fields: [
      A,
      'Content-Type: application/x-own',
      'Content-Disposition: attachment',
      'Cache-Control: private',
      'Set-Cookie: a=1',
      'Set-Cookie: b=2',
      'Last-Modified: Tue, 04 Feb 2003 04:05:06 GMT',
      'Content-Length: 5',
      'X-Own: stays',
    ],
  },
  { fields: ['X-Sendfile: %/page.html'], code: 404, headers: ['Range: bytes=0-1'] },
  { fields: ['X-Sendfile: %/page.html'], code: 201 },
  { fields: ['X-Sendfile: %/none'], code: 404 },
  { fields: ['X-Sendfile: %/none'], code: 500 },
  { fields: ['X-Sendfile: %/none'], code: 201 },
  // conditions
  { fields: [A], headers: [`If-Modified-Since: ${LAST_MODIFIED}`] },
  { fields: [A], headers: ['If-Modified-Since: Mon, 03 Feb 2020 04:05:05 GMT'] },
  { fields: [A, 'ETag: "own"'], headers: ['If-None-Match: "own"'] },
  { fields: [A, 'ETag: "own"'], headers: ['If-None-Match: "a", W/"own"'] },
  { fields: [A, 'ETag: "own"'], headers: ['If-None-Match: "other"'] },
  { fields: [A, 'ETag: "own"'], headers: ['If-Range: "own"', 'Range: bytes=0-1'] },
  { fields: [A, 'ETag: "own"'], headers: ['If-Range: "other"', 'Range: bytes=0-1'] },
  { fields: [A], headers: [`If-Range: ${LAST_MODIFIED}`, 'Range: bytes=0-1'] },
  {
    fields: [A],
    headers: [`If-Range: ${CHANGED.toUTCString().replace('06', '07')}`, 'Range: bytes=0-1'],
  },
  {
    fields: [A],
    headers: ['If-Match: "other"'],
    differs: [412, 200, 'lighttpd 1.4.69 does not know If-Match (RFC 9110 §13.1.1)'],
  },
  {
    fields: [A],
    headers: ['If-Unmodified-Since: Mon, 03 Feb 2020 04:05:05 GMT'],
    differs: [412, 200, 'lighttpd 1.4.69 does not know If-Unmodified-Since (RFC 9110 §13.1.4)'],
  },
  {
    fields: [A, 'ETag: "own"'],
    method: 'POST',
    headers: ['If-None-Match: "own"', 'Content-Length: 0'],
    differs: [200, 412, 'the application has done by then what the condition was to prevent'],
  },
  // ranges
  ...[
    '0-9',
    '990-',
    '-5',
    '-5000',
    '0-0',
    '500-5000',
    '5000-',
    '0-1,5000-',
    '0-5,3-9',
    '0-5,85-90',
  ].map((value) => range(value)),
  ...['0-1,500-510', '500-510,0-1', '0-5,86-90', '0-1,300-301,300-310', many(10, 90)].map((value) =>
    range(value),
  ),
  { fields: [A], headers: ['Range: lines=0-1'] },
  range('0-1', { method: 'HEAD' }),
  range('0-1', { fields: ['X-Sendfile: %/empty.txt'] }),
  ...['5-2', 'x', '-'].map((value) =>
    range(value, {
      differs: [200, 416, 'a malformed Range does not count (RFC 9110 §14.2); lighttpd refuses it'],
    }),
  ),
  range('0-1,x', {
    differs: [
      200,
      206,
      'a malformed Range does not count (RFC 9110 §14.2); lighttpd takes what it can read',
    ],
  }),
  range(many(128, 1), { differs: [206, 206, 'lighttpd takes the first ten of the ranges'] }),
  range(many(129, 1), {
    differs: [
      200,
      206,
      'with more than 128 ranges the field does not count; lighttpd takes the first ten',
    ],
  }),
  range('0-1', { fields: [A, 'Content-Encoding: gzip'] }),
  { fields: [A, 'Content-Encoding: gzip'] },
  // refusals of X-Sendfile
  ...[
    '%/none',
    '%/sub',
    '%',
    '%/../outside.txt',
    '%/%2e%2e/outside.txt',
    '%/../files-too/x.txt',
  ].map((path): Row => ({ fields: [`X-Sendfile: ${path}`] })),
  ...['/etc/passwd', '/nowhere/x', 'a.txt', './a.txt'].map(
    (path): Row => ({ fields: [`X-Sendfile: ${path}`] }),
  ),
  {
    fields: ['X-Sendfile: %/link-out.txt'],
    differs: [403, 200, 'lighttpd looks at the name only: symlinks lead out of x-sendfile-docroot'],
  },
  {
    fields: ['X-Sendfile: %/away/outside.txt'],
    differs: [403, 200, 'lighttpd looks at the name only: symlinks lead out of x-sendfile-docroot'],
  },
  {
    fields: ['X-Sendfile: %/a.txt/x'],
    differs: [404, 403, 'there is no such file; lighttpd takes it for a.txt with PATH_INFO'],
  },
  {
    fields: ['X-Sendfile: %/a.txt%00.html'],
    differs: [
      403,
      404,
      'refused; lighttpd makes _ of control characters, and there is no a.txt_.html',
    ],
  },
  {
    fields: ['X-Sendfile: %/a%ff.txt'],
    differs: [404, 502, 'names of files are bytes; lighttpd wants UTF-8'],
  },
  // X-Sendfile2
  ...['0-9', '990-', '0-', '0-0', '1000-', '990-2000'].map(
    (part): Row => ({ fields: [`X-Sendfile2: %/a.txt ${part}`] }),
  ),
  { fields: ['X-Sendfile2: %/a.txt 0-9, %/data 3-4 , %/a.txt 0-0'] },
  { fields: ['X-Sendfile2: %/com%2cma%20and%20space.txt 0-,%/per%2541cent.txt 1-'] },
  { fields: ['X-Sendfile2: %/empty.txt 0-'] },
  { fields: ['X-Sendfile2: %/a.txt 0-9'], method: 'HEAD' },
  { fields: [A, 'X-Sendfile2: %/data 0-1'] },
  {
    fields: ['X-Sendfile2: %/a.txt 10-19', 'Content-Range: bytes 10-19/1000', 'Content-Length: 7'],
    code: 206,
    headers: ['Range: bytes=10-19'],
  },
  ...['', ' x-y', ' -5', ' 9-3', ' 0-1 2-3'].map(
    (part): Row => ({ fields: [`X-Sendfile2: %/a.txt${part}`] }),
  ),
  { fields: ['X-Sendfile2: %/none 0-'] },
  { fields: ['X-Sendfile2: %/none 0-'], code: 404 },
  { fields: ['X-Sendfile2: /etc/passwd 0-9'] },
  { fields: ['X-Sendfile2: %/%2e%2e/outside.txt 0-'] },
  {
    fields: ['X-Sendfile2: %/a.txt 0-9', 'X-Sendfile2: %/data 3-4'],
    differs: [
      200,
      502,
      'one field for each part is what lighttpd documents, and what 1.4.69 refuses',
    ],
  },
  {
    fields: ['X-Sendfile2: %/a.txt 0-9'],
    headers: ['Range: bytes=0-1'],
    differs: [200, 206, 'ranges are the matter of who names parts; lighttpd cuts them once more'],
  },
  {
    fields: ['X-Sendfile2: %/a.txt 1001-'],
    differs: [200, 502, 'a part beyond the end has no bytes, which is logged'],
  },
  {
    fields: ['X-Sendfile2: %/sub 0-'],
    differs: [403, 502, 'the same as with X-Sendfile'],
  },
]

t.test('lighttpd', { skip: NEEDS_FPM.skip || NEEDS_LIGHTTPD.skip }, async (t) => {
  const php = await phpFpm(t)
  const { files } = fileSite(t)
  const theirs = await lighttpd(
    t,
    `server.document-root = "${SITE}"
     server.modules = ( "mod_fastcgi" )
     mimetype.assign = ( ".html" => "text/html; charset=utf-8", ".txt" => "text/plain; charset=utf-8" )
     fastcgi.server = ( ".php" => (( "socket" => "${php.address.replace('unix:', '')}",
       "x-sendfile" => "enable", "x-sendfile-docroot" => ( "${files}" ) )))`,
  )
  await eachAdapter(t, 'same requests', async (t, adapter) => {
    const sendfile = { roots: [join(files, '/')], decode: true }
    const options = { upstream: php.address, root: SITE, sendfile }
    const ours = await startAdapter(t, adapter, options)
    for (const { differs, ...row } of ROWS) {
      const fields = row.fields.map((field) =>
        field.replaceAll('%/', `${files}/`).replace(/%$/, files),
      )
      const name = JSON.stringify([row.method, row.fields, row.code, row.headers]).slice(0, 200)
      const [own, other] = await Promise.all([
        handed(ours.port, fields, row),
        handed(theirs.port, fields, row),
      ])
      if (differs === undefined) t.same(essence(own, row), essence(other, row), name)
      else {
        const [mine, its, because] = differs
        t.same([own.status, other.status], [mine, its], `${name}: ${because}`)
        t.notSame(
          essence(own, row),
          essence(other, row),
          'a difference that has gone is not to be listed',
        )
      }
    }
  })
})

/** Fields that both are to send alike. */
const COMPARED = [
  'cache-control',
  'content-disposition',
  'content-length',
  'content-range',
  'content-type',
  'last-modified',
  'set-cookie',
  'x-own',
  'x-sendfile',
  'x-sendfile2',
  'x-lighttpd-send-file',
]

/**
 * What is compared. Not: pages of errors, for each server has its own; boundaries; Content-Type of 304, where lighttpd
 * sends it (RFC 9110 §15.4.5); validators of files without a known ending, which lighttpd does not send; ETag.
 */
function essence({ status, headers, body }: RawResponse, { code }: Row) {
  if (status === 304) return { status, cookies: headers['set-cookie'], body }
  if (status >= 400 && status !== code) return { status }
  const [, boundary] = /boundary=(\S+)/.exec(headers['content-type'] ?? '') ?? []
  const fields = COMPARED.filter((name) => !(name === 'content-length' && boundary !== undefined))
    .filter(
      (name) =>
        !(name === 'last-modified' && headers['content-type'] === 'application/octet-stream'),
    )
    .map((name) => headers[name]?.replace(boundary ?? '\0', 'B'))
  return { status, fields, body: boundary === undefined ? body : body.replaceAll(boundary, 'B') }
}
