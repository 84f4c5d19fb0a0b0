import type { IncomingHttpHeaders } from 'node:http'

/** What tells one state of a file from another (RFC 9110 §8.8). */
export interface Validators {
  /** ETag as it is sent, quotes and `W/` included. */
  readonly etag: string
  /** Last-Modified as it is sent. */
  readonly lastModified: string
}

/** What the conditions of a request make of it: send, 304, or 412. */
export type Verdict = 'send' | 'not-modified' | 'failed'

/** Conditions of a GET or HEAD in their order of precedence (RFC 9110 §13.2.2), If-Range apart. */
export function evaluateConditions(headers: IncomingHttpHeaders, current: Validators): Verdict {
  const ifMatch = headers['if-match']
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, strong(current.etag))) return 'failed'
  } else if (isChangedSince(headers['if-unmodified-since'], current.lastModified) === true)
    return 'failed'

  const ifNoneMatch = headers['if-none-match']
  if (ifNoneMatch !== undefined)
    return matches(ifNoneMatch, opaque(current.etag), opaque) ? 'not-modified' : 'send'
  const changed = isChangedSince(headers['if-modified-since'], current.lastModified)
  return changed === false ? 'not-modified' : 'send'
}

/** Whether a Range is to be looked at: not when If-Range names another state of the file (RFC 9110 §13.1.5). */
export function rangeApplies(headers: IncomingHttpHeaders, current: Validators): boolean {
  const ifRange = headers['if-range']
  if (typeof ifRange !== 'string') return true
  if (ifRange.includes('"')) return ifRange === strong(current.etag)
  // To the second, and exactly: an earlier state may be an older file that has been put back.
  const wanted = parseDate(ifRange)
  return wanted !== undefined && wanted === parseDate(current.lastModified)
}

const ENTITY_TAG = /(?:W\/)?"[^"]*"/g

function matches(
  list: string,
  etag: string | undefined,
  form: (tag: string) => string = (tag) => tag,
): boolean {
  if (list.trim() === '*') return true
  return etag !== undefined && (list.match(ENTITY_TAG) ?? []).some((tag) => form(tag) === etag)
}

/** An ETag that is not weak: only such are the same byte by byte. */
function strong(etag: string): string | undefined {
  return etag.startsWith('W/') ? undefined : etag
}

function opaque(etag: string): string {
  return etag.replace(/^W\//, '')
}

/** Undefined where there is no condition, or one that is no date: it does not count then. */
function isChangedSince(condition: string | undefined, lastModified: string): boolean | undefined {
  const since = parseDate(condition)
  const changed = parseDate(lastModified)
  return since === undefined || changed === undefined ? undefined : changed > since
}

/** Any of the three forms of RFC 9110 §5.6.7, in milliseconds. */
function parseDate(date: string | undefined): number | undefined {
  if (date === undefined || !/^[A-Z][a-z]{2,8}[, ]/.test(date)) return undefined
  // That of asctime does not say that it is GMT.
  const time = Date.parse(date.endsWith(' GMT') ? date : `${date} GMT`)
  return Number.isNaN(time) ? undefined : time
}
