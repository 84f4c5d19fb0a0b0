// Asking the application whether a stored response is still good, and taking its 304 (RFC 9111 §4.3).

import { type FlatFields, filterFields, type RequestFields, soleValue } from '../fields.ts'

/** Fields by which a client asks for less than the whole response. */
const PRECONDITIONS = [
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
]

/** The fields of a request without its conditions, so that the application sends the whole response. */
export function withoutConditions(request: RequestFields): RequestFields {
  if (!PRECONDITIONS.some((name) => request[name] !== undefined)) return request
  const fields = { ...request }
  for (const name of PRECONDITIONS) delete fields[name]
  return fields
}

/** The fields that ask whether a stored response is still good; undefined if it has no validator. */
export function validatingFields(
  request: RequestFields,
  stored: FlatFields,
): RequestFields | undefined {
  const etag = soleValue(stored, 'etag')
  const lastModified = soleValue(stored, 'last-modified')
  if (etag === undefined && lastModified === undefined) return undefined
  const { range: _, ...fields } = withoutConditions(request)
  return {
    ...fields,
    ...(etag !== undefined && { 'if-none-match': etag }),
    ...(lastModified !== undefined && { 'if-modified-since': lastModified }),
  }
}

/** Fields that describe the body, which a 304 does not have (RFC 9111 §3.2). */
const OF_THE_BODY = new Set(['content-encoding', 'content-length', 'content-range', 'content-type'])

/**
 * The fields of a stored response as a 304 updates them; undefined if the 304 is about another version of the response.
 * @param update fields of the 304.
 */
export function updatedFields(stored: FlatFields, update: FlatFields): string[] | undefined {
  const before = soleValue(stored, 'etag')
  const after = soleValue(update, 'etag')
  if (after !== undefined && before !== undefined && opaque(after) !== opaque(before))
    return undefined
  const news = filterFields(update, (name) => !OF_THE_BODY.has(name))
  const replaced = new Set(news.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()))
  return [...filterFields(stored, (name) => !replaced.has(name) && name !== 'age'), ...news]
}

function opaque(etag: string): string {
  return etag.replace(/^W\//, '')
}
