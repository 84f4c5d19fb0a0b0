/** The kinds of requests that lead elsewhere here than with nginx. docs/differences.md explains each. */
import type { RandomRequest } from './random-requests.ts'

/** What came of a request: the class of the status, and the params that the application got, or the file that was sent. */
export interface Outcome {
  readonly status: number
  readonly [param: string]: string | number
}

/** A request that two servers responded to differently. */
export interface Difference {
  readonly request: RandomRequest
  readonly ours: Outcome
  readonly nginx: Outcome
}

/** The name of the kind that a difference is of; undefined if it is of none. */
export function requestKind(difference: Difference): string | undefined {
  const path = decodedPath(difference.request.target)
  const facts = { ...difference, path, normal: withoutDots(path) }
  return Object.entries(REQUEST_KINDS).find(([, applies]) => applies(facts))?.[0]
}

interface Facts extends Difference {
  /** Decoded. */
  readonly path: string
  /** Decoded and without dot segments. */
  readonly normal: string
}

const isRefused = ({ status }: Outcome): boolean => status === 4 || status === 0

const valuesOf = ({ fields }: RandomRequest, name: string): string[] =>
  fields
    .filter((field) => field.toLowerCase().startsWith(`${name}:`))
    .map((field) => field.slice(name.length + 1).trim())

const FIELD = /^[!#$%&'*+.^_`|~0-9a-z-]+:[\t\x20-\x7e\x80-\xff]*$/i
const HOST = /^(\[::1\]|localhost|www\.example\.|127\.0\.0\.1)(:80)?$/i

/** Request fields that nginx refuses to receive twice. */
const UNIQUE = ['authorization', 'content-length', 'expect', 'if-modified-since', 'if-none-match']

/** The front controller. */
const FALLBACK = '/index.php'

/** The kinds in the order in which they are looked for. Each is explained in docs/differences.md. */
export const REQUEST_KINDS: Readonly<Record<string, (facts: Facts) => boolean>> = {
  'control character in the path': ({ ours, path }) => isRefused(ours) && hasControl(path),
  'backslash in the path': ({ ours, path }) => isRefused(ours) && path.includes('\\'),
  '# in the target': ({ ours, request }) => isRefused(ours) && request.target.includes('#'),
  'method or character that node:http does not know': ({ ours, request: { target, method } }) =>
    isRefused(ours) && (method === 'HACK' || /[^\x21-\x7e]/.test(target)),
  'malformed header field': ({ ours, request: { fields } }) =>
    isRefused(ours) && fields.some((field) => !FIELD.test(field)),
  'Host that is malformed': ({ nginx, request }) =>
    isRefused(nginx) && !HOST.test(valuesOf(request, 'host')[0] ?? ''),
  'other field sent twice': ({ nginx, request }) =>
    isRefused(nginx) && UNIQUE.some((name) => valuesOf(request, name).length > 1),
  'directory named like a script': ({ nginx, normal }) =>
    /^\/x\.php(\/|$)/.test(normal) && (nginx.SCRIPT_NAME ?? FALLBACK) === FALLBACK,
  dotfile: ({ ours, normal }) =>
    /\/\.(?!well-known(\/|$))/.test(normal) &&
    (ours.SCRIPT_NAME ?? FALLBACK) === FALLBACK &&
    !('file' in ours),
  'copy of a script, and case of the extension': ({ ours, normal }) =>
    /\.PHP|\.bak/.test(normal) && !('file' in ours),
  'method other than GET, HEAD and POST on a directory': ({ nginx, normal, request: { method } }) =>
    isRefused(nginx) && !['GET', 'HEAD', 'POST'].includes(method) && !normal.includes('.php'),
  'directory without an index file': ({ normal }) =>
    /^\/(no-index|static|\.well-known)\/?$/.test(normal),
  'Range that is malformed, repeated or of HTTP/1.0': ({ ours, normal, request }) => {
    const ranges = valuesOf(request, 'range')
    const isOdd = ranges.length > 1 || ranges.includes('bytes=5-1') || request.version === '1.0'
    return ours.status === 2 && /\.(html|txt|jpg)$/.test(normal) && ranges.length > 0 && isOdd
  },
}

const hasControl = (path: string): boolean =>
  [...path].some((char) => char < ' ' || char === '\x7f')

function decodedPath(target: string): string {
  return target
    .replace(/^[a-z]+:\/\/[^/?#]*/i, '')
    .replace(/[?#].*$/s, '')
    .replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
}

function withoutDots(path: string): string {
  const kept: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '.' && segment !== '') kept.push(segment)
  }
  return `/${kept.join('/')}${/\/\.{0,2}$/.test(path) ? '/' : ''}`
}
