// Sorts the header fields of an application's response: which reach the client, which the gateway acts on, which are
// dropped.

import { connectionOptions } from './field-list.ts'
import type { FieldRules } from './field-rules.ts'
import { checkedLastModified } from './last-modified.ts'
import { HTTP2_SINGLE_FIELDS, SINGLE_FIELDS } from './repeated-fields.ts'

/** How a field is treated. */
type Kind =
  /** Passed on; only its first occurrence counts. */
  | 'single'
  /** The same in HTTP/2; in HTTP/1.1 every occurrence is passed on. */
  | 'single-http2'
  /** Passed on, every occurrence. */
  | 'repeatable'
  | 'dropped'
  /** Asks the gateway to send something else in place of the body. */
  | 'offload'
  | 'content-length'
  | 'last-modified'
  | 'transfer-encoding'
  | 'buffering'

/**
 * Fields that are not simply passed on. Hop-by-hop fields (RFC 9110 §7.6.1; RFC 3875 §6.3.4 forbids them in a response) and
 * fields that control the gateway do not reach the client.
 */
const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ...entries('dropped', [
    'connection',
    'keep-alive',
    'proxy-connection',
    'te',
    'trailer',
    'upgrade',
    'http2-settings',
    'status',
    'x-accel-charset',
    'x-accel-expires',
    'x-accel-limit-rate',
    'x-lighttpd-kbytes-per-second',
  ]),
  ...entries('offload', ['x-accel-redirect', 'x-lighttpd-send-file', 'x-sendfile', 'x-sendfile2']),
  ...entries('single-http2', HTTP2_SINGLE_FIELDS),
  ...entries('single', SINGLE_FIELDS),
  ['content-length', 'content-length'],
  ['last-modified', 'last-modified'],
  ['transfer-encoding', 'transfer-encoding'],
  ['x-accel-buffering', 'buffering'],
])

const SINGLE_KINDS: ReadonlySet<Kind> = new Set<Kind>([
  'single',
  'single-http2',
  'content-length',
  'last-modified',
])

function entries(kind: Kind, names: readonly string[]): Array<[string, Kind]> {
  return names.map((name) => [name, kind])
}

interface NameInfo {
  readonly lower: string
  readonly kind: Kind
}

/** Field names in the case applications send them, so that each is lower-cased and looked up only once. */
const nameCache = new Map<string, NameInfo>()
/** Bound of the cache: an application can send any number of different names. */
const MAX_CACHED_NAMES = 1024

function nameInfo(name: string): NameInfo {
  const cached = nameCache.get(name)
  if (cached !== undefined) return cached
  const lower = name.toLowerCase()
  const kind = KINDS.get(lower) ?? 'repeatable'
  const info = { lower, kind }
  if (nameCache.size < MAX_CACHED_NAMES) nameCache.set(name, info)
  return info
}

/** The header fields of a response, sorted. */
export interface ResponseFields {
  /**
   * Fields for the client: name, value, name, value…; order and case as the application sent them. Content-Length is the
   * last: node:http takes the bytes of a Content-Disposition after it for UTF-8, and changes them.
   */
  headers: string[]
  /** Content-Length in bytes, if the application sent one. */
  contentLength: number | undefined
  /** X-Accel-Buffering (nginx): true for `yes`, false for `no`, undefined for no such field or another value. */
  buffering: boolean | undefined
  /** Fields such as X-Sendfile, which replace the body: lower-case name, value, name, value… */
  offloadFields: string[]
  /** Messages about fields that should not have been sent, and are dropped. */
  warnings: string[]
}

const BUFFERING: ReadonlyMap<string, boolean> = new Map([
  ['yes', true],
  ['no', false],
])
const NONE: string[] = []

/**
 * Sorts the fields of a response.
 * @param flat name, value, name, value…
 * @param isHTTP2 whether the response is sent over HTTP/2. node:http2 throws when some fields are set twice.
 * @param rules of the option `responseHeaders`.
 */
export function responseFields(
  flat: readonly string[],
  isHTTP2: boolean,
  rules?: FieldRules,
): ResponseFields {
  const headers: string[] = []
  const fields: ResponseFields = {
    headers,
    contentLength: undefined,
    buffering: undefined,
    offloadFields: NONE,
    warnings: NONE,
  }
  const single: string[] = []
  const hopByHop = connectionOptions(flat)
  let contentLength: readonly string[] = NONE
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = flat[at] ?? ''
    const value = flat[at + 1] ?? ''
    const { lower, kind } = nameInfo(name)
    if (kind === 'dropped' || hopByHop?.has(lower) || rules?.ignored.has(lower)) continue
    if (rules?.hidden.has(lower) && isPassedOn(kind)) continue
    if (kind === 'repeatable' || (kind === 'single-http2' && !isHTTP2)) headers.push(name, value)
    else if (SINGLE_KINDS.has(kind)) {
      if (single.includes(lower)) {
        warn(fields, `${name} more than once; only the first is passed on`)
        continue
      }
      single.push(lower)
      if (kind === 'content-length') contentLength = [name, value]
      else headers.push(name, kind === 'last-modified' ? checkedLastModified(value) : value)
    } else if (kind === 'offload') fields.offloadFields = [...fields.offloadFields, lower, value]
    else if (kind === 'transfer-encoding')
      warn(fields, `${name}: ${value}; dropped, as CGI does not allow it (RFC 3875 §6.3.4)`)
    else fields.buffering = BUFFERING.get(value.toLowerCase())
  }
  if (rules !== undefined) headers.push(...rules.added)
  if (contentLength.length > 0) {
    fields.contentLength = Number(contentLength[1])
    if (!rules?.hidden.has('content-length')) headers.push(...contentLength)
  }
  return fields
}

/** Whether fields of a kind have no other use than to be passed on. */
function isPassedOn(kind: Kind): boolean {
  return kind !== 'content-length' && (kind === 'repeatable' || SINGLE_KINDS.has(kind))
}

function warn(fields: ResponseFields, what: string): void {
  fields.warnings = [...fields.warnings, `the application sent ${what}`]
}
