/** What becomes of a field of a response. */
type Kind = 'once' | 'repeatable' | 'dropped' | 'instruction' | 'length' | 'coding' | 'buffering'

/**
 * Fields that are not just passed on: those that speak of the connection (RFC 9110 §7.6.1; RFC 3875 §6.3.4 forbids
 * them) and those by which an application instructs the gateway do not reach the client. Of those that may come more than
 * once all count; of others the first, as with nginx.
 */
const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ...entries(
    'dropped',
    'connection keep-alive proxy-connection te trailer upgrade http2-settings status',
    'x-accel-charset x-accel-expires x-accel-limit-rate x-lighttpd-kbytes-per-second',
  ),
  ...entries('instruction', 'x-accel-redirect x-lighttpd-send-file x-sendfile x-sendfile2'),
  ...entries(
    'repeatable',
    'cache-control content-security-policy content-security-policy-report-only link pragma',
    'server-timing set-cookie vary warning www-authenticate proxy-authenticate',
  ),
  ['content-length', 'length'],
  ['transfer-encoding', 'coding'],
  ['x-accel-buffering', 'buffering'],
])

function entries(kind: Kind, ...names: string[]): Array<[string, Kind]> {
  return names
    .join(' ')
    .split(' ')
    .map((name) => [name, kind])
}

/** Names as applications spell them, looked up once. */
const spellings = new Map<string, { lower: string; kind: Kind }>()
const MOST_SPELLINGS = 1024

function look(name: string): { lower: string; kind: Kind } {
  const known = spellings.get(name)
  if (known !== undefined) return known
  const lower = name.toLowerCase()
  const kind = KINDS.get(lower) ?? (lower.startsWith('x-') ? 'repeatable' : 'once')
  const seen = { lower, kind }
  // Applications may make names up: what is kept of them must not grow with their fantasy.
  if (spellings.size < MOST_SPELLINGS) spellings.set(name, seen)
  return seen
}

/** Fields of a response as the client gets them. */
export interface ResponseFields {
  /** Name, value, name, value…; order and case as the application gave them. */
  headers: string[]
  /** Content-Length, if the application gave one. */
  contentLength: number | undefined
  /** Whether the application says that it has cut the body into chunks itself. */
  transferEncoding: string | undefined
  /** Whether the response is to be buffered (nginx X-Accel-Buffering); undefined where the application says nothing. */
  buffering: boolean | undefined
  /** Fields that ask for something else in the place of the body: lower-case name, value, name, value… */
  instructions: string[]
}

const BUFFERING: Readonly<Record<string, boolean>> = { yes: true, no: false }
const NONE: string[] = []

/** Takes out what is not for the client. */
export function responseFields(flat: readonly string[]): ResponseFields {
  const headers: string[] = []
  const fields: ResponseFields = {
    headers,
    contentLength: undefined,
    transferEncoding: undefined,
    buffering: undefined,
    instructions: NONE,
  }
  const once: string[] = []
  const named = connectionNames(flat)
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = flat[at] ?? ''
    const value = flat[at + 1] ?? ''
    const { lower, kind } = look(name)
    if (kind === 'dropped' || named?.has(lower)) continue
    if (kind === 'repeatable') headers.push(name, value)
    else if (kind === 'once' || kind === 'length') {
      if (once.includes(lower)) continue
      once.push(lower)
      if (kind === 'length') fields.contentLength = Number(value)
      headers.push(name, value)
    } else if (kind === 'instruction') fields.instructions = [...fields.instructions, lower, value]
    else if (kind === 'coding') fields.transferEncoding = value.toLowerCase()
    else fields.buffering = BUFFERING[value.toLowerCase()]
  }
  return fields
}

function connectionNames(flat: readonly string[]): Set<string> | undefined {
  for (let at = 0; at < flat.length; at += 2)
    if (flat[at]?.length === 10 && flat[at]?.toLowerCase() === 'connection')
      return new Set((flat[at + 1] ?? '').toLowerCase().split(/[\s,]+/))
  return undefined
}

/** The first value of a field, whatever its case. */
export function fieldValue(flat: readonly string[], name: string): string | undefined {
  const wanted = name.toLowerCase()
  for (let at = 0; at + 1 < flat.length; at += 2)
    if (flat[at]?.length === wanted.length && flat[at]?.toLowerCase() === wanted)
      return flat[at + 1]
  return undefined
}

/** All fields but those with one of the names, which are in lower case. */
export function withoutFields(flat: readonly string[], names: ReadonlySet<string>): string[] {
  return flat.filter((_, at) => !names.has(flat[at - (at % 2)]?.toLowerCase() ?? ''))
}

/** Value of a field as frameworks keep it. */
type FieldValue = string | string[] | number | undefined

/** What middleware may have set before, and the application's is to come on top of. */
const ADDED: ReadonlySet<string> = new Set(['set-cookie', 'vary'])

/**
 * Sets fields where a framework keeps them by name, one that is repeated as an array.
 * @param own what is set of a field, that of middleware included; undefined where `set` itself adds to it.
 */
export function setFields(
  flat: readonly string[],
  own: (name: string) => FieldValue,
  set: (name: string, value: string | string[]) => void,
): void {
  const seen: string[] = []
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = (flat[at] ?? '').toLowerCase()
    const value = flat[at + 1] ?? ''
    const known = ADDED.has(name) || seen.includes(name) ? own(name) : undefined
    if (known === undefined) set(name, value)
    else set(name, [...(Array.isArray(known) ? known : [String(known)]), value])
    seen.push(name)
  }
}
