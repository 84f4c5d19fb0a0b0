// Sorts the header fields of an application's response: which reach the client, which the gateway acts on, which are
// dropped.

import { connectionOptions } from './field-list.ts'
import { checkedLastModified } from './last-modified.ts'
import { REPEATABLE_FIELDS } from './repeated-fields.ts'

/** How a field is treated. */
type Kind =
  /** Passed on; only its first occurrence counts. */
  | 'once'
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
  ...entries('repeatable', REPEATABLE_FIELDS),
  ['content-length', 'content-length'],
  ['last-modified', 'last-modified'],
  ['transfer-encoding', 'transfer-encoding'],
  ['x-accel-buffering', 'buffering'],
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
  const kind = KINDS.get(lower) ?? (lower.startsWith('x-') ? 'repeatable' : 'once')
  const info = { lower, kind }
  if (nameCache.size < MAX_CACHED_NAMES) nameCache.set(name, info)
  return info
}

/** The header fields of a response, sorted. */
export interface ResponseFields {
  /** Fields for the client: name, value, name, value…; order and case as the application sent them. */
  headers: string[]
  /** Content-Length in bytes, if the application sent one. */
  contentLength: number | undefined
  /** Transfer-Encoding in lower case, if the application sent one. */
  transferEncoding: string | undefined
  /** X-Accel-Buffering (nginx): true for `yes`, false for `no`, undefined for no such field or another value. */
  buffering: boolean | undefined
  /** Fields such as X-Sendfile, which replace the body: lower-case name, value, name, value… */
  offloadFields: string[]
}

const BUFFERING: Readonly<Record<string, boolean>> = { yes: true, no: false }
const NONE: string[] = []

/** Sorts the fields of a response. @param flat name, value, name, value… */
export function responseFields(flat: readonly string[]): ResponseFields {
  const headers: string[] = []
  const fields: ResponseFields = {
    headers,
    contentLength: undefined,
    transferEncoding: undefined,
    buffering: undefined,
    offloadFields: NONE,
  }
  const once: string[] = []
  const hopByHop = connectionOptions(flat)
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = flat[at] ?? ''
    const value = flat[at + 1] ?? ''
    const { lower, kind } = nameInfo(name)
    if (kind === 'dropped' || hopByHop?.has(lower)) continue
    if (kind === 'repeatable') headers.push(name, value)
    else if (kind === 'once' || kind === 'content-length' || kind === 'last-modified') {
      if (once.includes(lower)) continue
      once.push(lower)
      if (kind === 'content-length') fields.contentLength = Number(value)
      headers.push(name, kind === 'last-modified' ? checkedLastModified(value) : value)
    } else if (kind === 'offload') fields.offloadFields = [...fields.offloadFields, lower, value]
    else if (kind === 'transfer-encoding') fields.transferEncoding = value.toLowerCase()
    else fields.buffering = BUFFERING[value.toLowerCase()]
  }
  return fields
}
