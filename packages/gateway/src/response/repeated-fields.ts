// Repeated response fields, above all Set-Cookie: which fields an application may send more than once, and how they are
// set on frameworks that keep one entry per field name.

/**
 * Fields whose grammar allows one value, so that recipients would disagree about which of several counts. Only the first
 * reaches the client, as of Content-Length and Last-Modified. Of all other fields every occurrence does, as with nginx.
 */
export const SINGLE_FIELDS: readonly string[] = [
  'age',
  'content-disposition',
  'content-location',
  'content-range',
  'content-type',
  'date',
  'etag',
  'expires',
  'location',
  'retry-after',
  'server',
]

/** Further fields that node:http2 refuses to send twice (ERR_HTTP2_HEADER_SINGLE_VALUE). */
export const HTTP2_SINGLE_FIELDS: readonly string[] = [
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'authorization',
  'content-encoding',
  'content-language',
  'content-md5',
  'dnt',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'max-forwards',
  'proxy-authorization',
  'range',
  'referer',
  'tk',
  'upgrade-insecure-requests',
  'user-agent',
  'x-content-type-options',
]

/** Value of a field as frameworks keep it. */
type FieldValue = string | string[] | number | undefined

/** Fields to which the application's value is added when middleware has already set one; others are replaced. */
const ADDED_TO_MIDDLEWARE: ReadonlySet<string> = new Set(['set-cookie', 'vary'])

/**
 * Sets the fields of a response on a framework that keeps them by name. A field that occurs more than once is set to an
 * array of its values. Names keep the case in which the application sent them, if the framework keeps it; Fastify and HTTP/2
 * do not.
 * @param flat name, value, name, value…
 * @param own returns the current value of a field, including one set by middleware; undefined where `set` itself appends.
 */
export function setFields(
  flat: readonly string[],
  own: (name: string) => FieldValue,
  set: (name: string, value: string | string[]) => void,
): void {
  const seen: string[] = []
  const names: string[] = []
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = flat[at] ?? ''
    const lower = name.toLowerCase()
    const value = flat[at + 1] ?? ''
    const before = seen.indexOf(lower)
    const known = before !== -1 || ADDED_TO_MIDDLEWARE.has(lower) ? own(lower) : undefined
    if (known === undefined) set(name, value)
    else set(names[before] ?? name, [...(Array.isArray(known) ? known : [String(known)]), value])
    seen.push(lower)
    names.push(name)
  }
}
