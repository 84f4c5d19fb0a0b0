/** Random response heads of applications: what CGI allows, what applications send by mistake, and what is malformed. */
import type { Random } from './random.ts'

/** A response of an application. */
export interface RandomHead {
  /** With the empty line at its end; latin1. */
  readonly head: string
  readonly body: string
  /** The lines of the head. */
  readonly lines: readonly string[]
}

/** A random response. Status 502 never occurs in it, so that it means that a server has refused the response. */
export function randomHead(random: Random): RandomHead {
  const body = random.chance(80) ? 'x'.repeat(random.between(1, 40)) : ''
  const lines: string[] = []
  if (random.chance(60)) lines.push(cased(random, `Status: ${pick(random, STATUSES)}`))
  if (random.chance(80)) lines.push(cased(random, `Content-Type: ${pick(random, TYPES)}`))
  for (let more = random.length(12); more > 0; more--) lines.push(randomField(random))
  if (random.chance(25)) lines.push(cased(random, `Content-Length: ${body.length}`))
  if (random.chance(3)) lines.push(`Content-Length: ${pick(random, LENGTHS)}`)
  if (random.chance(3)) lines.push(pick(random, MALFORMED))
  if (random.chance(1)) lines.unshift('HTTP/1.1 404 Not Found')
  const order = random.chance(50) ? lines : shuffled(random, lines)
  const ending = random.chance(80) ? '\r\n' : '\n'
  return { head: [...order, '', ''].join(ending), body, lines: order }
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.between(0, items.length - 1)] as T
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, key: random.next() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item)
}

/** A field whose name is as applications write it: mostly as in the RFC, else in lower or odd case. */
function cased(random: Random, line: string): string {
  if (random.chance(70)) return line
  const odd = random.chance(50)
  return line.replace(/^[^:]+/, (name) =>
    odd
      ? name.replace(/[a-z]/g, (char) => (random.chance(30) ? char.toUpperCase() : char))
      : name.toLowerCase(),
  )
}

const STATUSES = [
  '200',
  '200 OK',
  '201 Created',
  '204 No Content',
  '206',
  '301',
  '302 Found',
  '304',
  '400',
  '401',
  '403 No',
  '404 Not Found',
  '404',
  '410',
  '418 I am',
  '422',
  '451',
  '499',
  '500',
  '503 Later',
  '599',
  '299 gr\xfcn',
  '600',
  '999',
  '99',
  'abc',
  '',
]

const TYPES = [
  'text/plain',
  'text/html',
  'text/html; charset=utf-8',
  'text/html;charset=ISO-8859-1',
  'TEXT/HTML; Charset="UTF-8"',
  'application/json',
  'image/png',
  'application/octet-stream',
  'multipart/byteranges; boundary=x',
  'none',
  '',
]

const LENGTHS = ['', '0', '3', '100', '-1', '+5', 'x', '1,1']

const MALFORMED = [
  'no colon',
  ': no name',
  'X Space: 1',
  'X-Blank : 1',
  'X-Control: a\x01b',
  'X-NUL: a\0b',
  'X-CR: a\rb',
  'X-\xe4: 1',
]

/** Names with the values that they may have. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  'Accept-CH': ['DPR', 'Width'],
  'Accept-Ranges': ['bytes', 'none'],
  'Access-Control-Allow-Credentials': ['true'],
  'Access-Control-Allow-Headers': ['X-A', 'X-B, X-C'],
  'Access-Control-Allow-Methods': ['GET', 'POST'],
  'Access-Control-Allow-Origin': ['*', 'https://a.example'],
  'Access-Control-Expose-Headers': ['X-A', 'X-B'],
  'Access-Control-Max-Age': ['60', '600'],
  Age: ['1', '2'],
  Allow: ['GET', 'POST, PUT'],
  'Alt-Svc': ['h3=":443"', 'clear'],
  'Cache-Control': ['no-store', 'private', 'max-age=60'],
  'Clear-Site-Data': ['"cache"', '"cookies"'],
  Connection: ['close', 'keep-alive', 'X-Any'],
  'Content-Disposition': ['inline', 'attachment; filename="gr\xc3\xbcn.txt"'],
  'Content-Encoding': ['identity', 'x-odd'],
  'Content-Language': ['de', 'en'],
  'Content-Location': ['/a', '/b'],
  'Content-Security-Policy': ["default-src 'self'", 'object-src a; script-src b'],
  DAV: ['1', '2'],
  Date: ['Thu, 01 Jan 2015 00:00:00 GMT'],
  ETag: ['"1"', 'W/"2"'],
  Expires: ['Thu, 01 Jan 2015 00:00:00 GMT', '0', '-1'],
  'Keep-Alive': ['timeout=5'],
  'Last-Modified': ['Thu, 01 Jan 2015 00:00:00 GMT', 'yesterday'],
  Link: ['</a.css>; rel=preload', '</b.js>; rel=preload'],
  Location: ['http://other.example/', '/local', 'relative', '//host/x', ''],
  P3P: ['CP="x"'],
  'Permissions-Policy': ['camera=()', 'fullscreen=*'],
  Pragma: ['no-cache'],
  'Proxy-Authenticate': ['Basic realm="p"'],
  Refresh: ['5', '0; url=/x'],
  'Retry-After': ['5', '10'],
  Server: ['application', 'other'],
  'Set-Cookie': ['a=1; Path=/', 'b=2; HttpOnly', 'c=; Max-Age=0'],
  'Strict-Transport-Security': ['max-age=1', 'max-age=2'],
  TE: ['trailers'],
  Trailer: ['X-Any'],
  'Transfer-Encoding': ['chunked', 'identity'],
  Upgrade: ['h2c'],
  Vary: ['Accept', 'Cookie', '*'],
  Via: ['1.1 a', '1.0 b'],
  Warning: ['199 - "x"'],
  'WWW-Authenticate': ['Basic realm="a"', 'Bearer'],
  'X-Accel-Buffering': ['no', 'yes', 'x'],
  'X-Accel-Charset': ['utf-8'],
  'X-Accel-Expires': ['0'],
  'X-Any': ['1', '2', '\xe4\xff', '', 'a, b', 'v'.repeat(500)],
  'X-Content-Type-Options': ['nosniff'],
  'X-Folded': ['a\r\n b', 'a\n\tb'],
  'X-Powered-By': ['PHP/8.2'],
  'X-UA-Compatible': ['IE=edge'],
  X_Under: ['1'],
  'x!#$%&*+.^`|~': ['1'],
}
const NAMES = Object.keys(FIELDS)

function randomField(random: Random): string {
  const name = pick(random, NAMES)
  const value = pick(random, FIELDS[name] ?? [])
  const before = pick(random, [' ', ' ', ' ', '', '\t', '  '])
  return cased(random, `${name}:${before}${value}${random.chance(5) ? ' ' : ''}`)
}
