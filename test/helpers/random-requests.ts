/** Random requests for a tree of scripts: targets, methods and header sets as clients and attackers send them. */
import { mkdirSync, writeFileSync } from 'node:fs'
import type { Test } from 'tap'
import type { WireRequest } from './keep-alive-client.ts'
import type { Random } from './random.ts'
import { temporary } from './web-server.ts'

/** Scripts and files of the tree, in latin1: one character per byte of their names. */
const FILES = [
  'index.php',
  'a.php',
  'a.php.bak',
  'A.php',
  'dir/index.php',
  'dir/b.php',
  'dir/deep/index.php',
  'dir/deep/c.php',
  'no-index/c.php',
  'static/index.html',
  'static/file.txt',
  'x.php/index.php',
  'x.php/y.php',
  'up.PHP',
  'file.txt',
  'image.jpg',
  '.hidden.php',
  '.dot/x.php',
  '.well-known/x.php',
  'with space.php',
  'gr\xc3\xbcn.php',
  'caf\xe9.php',
  'a+b.php',
  'a&b=c.php',
  'semi;colon.php',
  'at@home,(1).php',
  '100%.php',
  'question?.php',
  'hash#.php',
]

/** Makes the tree; returns its path. */
export function requestTree(t: Test): string {
  const root = temporary(t)
  for (const file of FILES) {
    const directory = file.slice(0, file.lastIndexOf('/') + 1)
    mkdirSync(`${root}/${directory}`, { recursive: true })
    writeFileSync(Buffer.from(`${root}/${file}`, 'latin1'), `content of ${file}`)
  }
  return root
}

/** A request, and the parts of it that explain a difference. */
export interface RandomRequest extends WireRequest {
  readonly target: string
  readonly version: string
  readonly fields: readonly string[]
}

/** A random request. */
export function randomRequest(random: Random): RandomRequest {
  const method = random.chance(70) ? 'GET' : pick(random, METHODS)
  const target = randomTarget(random)
  const version = random.chance(95) ? '1.1' : '1.0'
  const body = BODY_METHODS.has(method) && random.chance(70) ? 'name=value&x=%20' : ''
  const fields = randomFields(random, body)
  const head = [`${method} ${target} HTTP/${version}`, ...fields].join('\r\n')
  return { method, target, version, fields, bytes: `${head}\r\n\r\n${framed(fields, body)}` }
}

const BODY_METHODS = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])
const METHODS = ['HEAD', 'POST', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND', 'HACK']

function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.between(0, items.length - 1)] as T
}

// ---- targets

const SEGMENTS = [
  'b.php',
  'c.php',
  'index.php',
  'none.php',
  'deep',
  'dir',
  'none',
  'x.php',
  'y.php',
]
const ODD_SEGMENTS = [
  '',
  '.',
  '..',
  '...',
  '.php',
  '%2e',
  '%2E%2e',
  '%2f',
  '%00',
  '%0a',
  '%7f',
  '%5c',
]
const ODD_CHARACTERS = [
  '%',
  '%zz',
  '%25',
  '%3f',
  '%23',
  '%20',
  '+',
  ';',
  '\\',
  '"',
  '<',
  '|',
  '^',
  '\xe9',
  '~',
  "'",
]
const QUERIES = [
  '',
  'a=b',
  'a=b&c=%20d',
  '?',
  '/x.php',
  'a=b?c=d',
  'a=%zz',
  '../..',
  'a=\xc3\xa4',
  'q="<>"',
  'a[]=1&a[]=2',
  '-d+allow_url_include',
  'a=b#c',
  '%00',
  '=',
  '&&',
]
const INFOS = [
  '/',
  '/info',
  '/info/x.php',
  '/a%20b',
  '/a%2fb',
  '//x',
  '/../a.php',
  '/.',
  '/%c3%a4',
  '/x%e9',
  '/1;2=3',
  '/%5c',
]

function randomTarget(random: Random): string {
  let path = `/${encodeName(random, pick(random, FILES))}`
  if (random.chance(20)) path = path.slice(0, path.lastIndexOf('/') + 1)
  if (random.chance(10)) path = path.slice(0, Math.max(1, path.lastIndexOf('/')))
  if (random.chance(30)) path += pick(random, INFOS)
  for (let more = random.length(5); more > 0; more--)
    path += `/${pick(random, random.chance(70) ? SEGMENTS : ODD_SEGMENTS)}`
  if (random.chance(10)) path = insert(random, path, pick(random, ODD_CHARACTERS))
  if (random.chance(10)) path = insert(random, path, `/${pick(random, ODD_SEGMENTS)}/`)
  if (random.chance(3)) path = path.replaceAll('/', '//')
  if (random.chance(40)) path += `?${pick(random, QUERIES)}`
  if (random.chance(2)) path += '#fragment'
  if (random.chance(3))
    return `http://${pick(random, ['localhost', 'other.example:80', ''])}${path}`
  if (random.chance(1))
    return pick(random, ['*', 'a.php', '//', '///a.php', '?a=b', 'ftp://x/a.php'])
  return path
}

/** A name of the tree as a client may write it. */
function encodeName(random: Random, name: string): string {
  const share = random.chance(85) ? 0 : 30
  return name.replace(/./gs, (char) => {
    const must = /[^A-Za-z0-9._~!$&'()*+,;=:@/-]/.test(char)
    if (!must && !(char !== '/' && random.chance(share))) return char
    const hex = char.charCodeAt(0).toString(16).padStart(2, '0')
    return `%${random.chance(50) ? hex : hex.toUpperCase()}`
  })
}

function insert(random: Random, path: string, text: string): string {
  const at = random.between(1, path.length)
  return path.slice(0, at) + text + path.slice(at)
}

// ---- header sets

const FIELDS = [
  'Accept: text/html,*/*;q=0.8',
  'Accept-Encoding: gzip, br',
  'Accept-Language:',
  'Authorization: Basic eDp5',
  'Cookie: a=1',
  'Cookie: b=2; c="3"',
  'X-Custom: 1',
  'X-Custom: 2',
  'x-lower: \xe4\xff',
  'X_Under: 1',
  'X.Dot: 1',
  'Proxy: http://evil.example',
  'Redirect-Status: 200',
  'Script-Filename: /etc/passwd',
  'Path-Info: /evil',
  'Content-Type: application/x-www-form-urlencoded',
  'Content-Type: ',
  'Range: bytes=0-2',
  'Range: bytes=5-1',
  'If-Modified-Since: Thu, 01 Jan 2015 00:00:00 GMT',
  'If-None-Match: "x"',
  'X-Forwarded-For: 1.2.3.4',
  'X-Forwarded-Host: evil.example',
  'X-Original-URL: /a.php',
  'X-Rewrite-URL: /a.php',
  'Referer: http://other.example/',
  'Upgrade: h2c',
  'TE: trailers',
  'Connection: keep-alive',
  'Connection: X-Custom',
  'Connection: close',
  'Expect: 100-continue',
  `X-Long: ${'v'.repeat(2000)}`,
]
/** Fields that servers refuse or ignore. */
const BAD_FIELDS = [
  'X Space: 1',
  'No-Colon',
  'X-Ctl: a\x01b',
  'X-Name : 1',
  ': empty',
  ' folded: 1',
]
const HOSTS = ['localhost', 'LOCALHOST', 'localhost:80', 'www.example.', '127.0.0.1', '[::1]:80']
const BAD_HOSTS = ['', 'a/b', 'a b', 'a@b', 'a..b', 'a\\b', 'a:b', '[::1']

function randomFields(random: Random, body: string): string[] {
  const fields: string[] = []
  if (!random.chance(1)) fields.push(`Host: ${pick(random, random.chance(97) ? HOSTS : BAD_HOSTS)}`)
  if (random.chance(1)) fields.push('Host: second.example')
  for (let more = random.length(12); more > 0; more--) fields.push(pick(random, FIELDS))
  if (random.chance(1)) fields.push(pick(random, BAD_FIELDS))
  if (body !== '')
    fields.push(random.chance(70) ? `Content-Length: ${body.length}` : 'Transfer-Encoding: chunked')
  if (body !== '' && random.chance(1)) fields.push(`Content-Length: ${body.length}`)
  if (random.chance(1)) fields.push('Content-Length: 0')
  return fields
}

function framed(fields: readonly string[], body: string): string {
  const isChunked = fields.includes('Transfer-Encoding: chunked')
  return isChunked ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body
}
