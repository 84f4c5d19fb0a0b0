// Conditional requests (RFC 9110 §13): If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, If-Range.

import type { IncomingHttpHeaders } from 'node:http'

/** The validators of a whole response (RFC 9110 §8.8). */
export interface Validators {
  /** ETag as it is sent, quotes and `W/` included. */
  readonly etag: string | undefined
  /** Last-Modified as it is sent. */
  readonly lastModified: string | undefined
}

/** Result of the conditions: send the file, answer 304, or answer 412. */
export type Verdict = 'send' | 'not-modified' | 'failed'

/** Evaluates the conditions of a GET or HEAD in their order of precedence (RFC 9110 §13.2.2), except If-Range. */
export function evaluateConditions(headers: IncomingHttpHeaders, current: Validators): Verdict {
  const ifMatch = headers['if-match']
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, strong(current.etag))) return 'failed'
  } else if (isChangedSince(headers['if-unmodified-since'], current.lastModified) === true)
    return 'failed'

  const ifNoneMatch = headers['if-none-match']
  if (ifNoneMatch !== undefined)
    return matches(ifNoneMatch, current.etag && opaqueTag(current.etag), opaqueTag)
      ? 'not-modified'
      : 'send'
  const changed = isChangedSince(headers['if-modified-since'], current.lastModified)
  return changed === false ? 'not-modified' : 'send'
}

/**
 * Whether If-Range allows Range to be applied; it does not if it names another version of the file (RFC 9110 §13.1.5).
 */
export function rangeApplies(headers: IncomingHttpHeaders, current: Validators): boolean {
  const ifRange = headers['if-range']
  if (typeof ifRange !== 'string') return true
  if (ifRange.includes('"')) return ifRange === strong(current.etag)
  // Dates must be equal: a file with an earlier date may be an older version that has been restored.
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

/** The ETag if it is strong, else undefined. Only strong ones guarantee identical bytes (RFC 9110 §8.8.3.2). */
function strong(etag: string | undefined): string | undefined {
  return etag?.startsWith('W/') ? undefined : etag
}

/** The ETag without `W/`, for weak comparison. */
function opaqueTag(etag: string): string {
  return etag.replace(/^W\//, '')
}

/** Undefined if there is no condition or it is not a valid date; the field is then ignored. */
function isChangedSince(
  condition: string | undefined,
  lastModified: string | undefined,
): boolean | undefined {
  const since = parseDate(condition)
  const changed = parseDate(lastModified)
  return since === undefined || changed === undefined ? undefined : changed > since
}

/** Parses a date in any of the three formats of RFC 9110 §5.6.7. Returns milliseconds. */
function parseDate(date: string | undefined): number | undefined {
  if (date === undefined || !/^[A-Z][a-z]{2,8}[, ]/.test(date)) return undefined
  // The asctime format does not state its time zone, which is GMT.
  const time = Date.parse(date.endsWith(' GMT') ? date : `${date} GMT`)
  return Number.isNaN(time) ? undefined : time
}
