// Repeated response fields, above all Set-Cookie: which fields an application may send more than once, and how they are
// set on frameworks that keep one entry per field name.

/** Fields of which every occurrence reaches the client. Of other fields only the first does, as with nginx. */
export const REPEATABLE_FIELDS: readonly string[] = [
  'cache-control',
  'content-security-policy',
  'content-security-policy-report-only',
  'link',
  'pragma',
  'server-timing',
  'set-cookie',
  'vary',
  'warning',
  'www-authenticate',
  'proxy-authenticate',
]

/** Value of a field as frameworks keep it. */
type FieldValue = string | string[] | number | undefined

/** Fields to which the application's value is added when middleware has already set one; others are replaced. */
const ADDED_TO_MIDDLEWARE: ReadonlySet<string> = new Set(['set-cookie', 'vary'])

/**
 * Sets the fields of a response on a framework that keeps them by name. A field that occurs more than once is set to an
 * array of its values.
 * @param flat name, value, name, value…
 * @param own returns the current value of a field, including one set by middleware; undefined where `set` itself appends.
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
    const known = ADDED_TO_MIDDLEWARE.has(name) || seen.includes(name) ? own(name) : undefined
    if (known === undefined) set(name, value)
    else set(name, [...(Array.isArray(known) ? known : [String(known)]), value])
    seen.push(name)
  }
}
