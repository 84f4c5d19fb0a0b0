// Finds the fields by which an application asks for a file or another path in place of its body: X-Sendfile,
// X-Sendfile2, X-LIGHTTPD-send-file, X-Accel-Redirect, and Location of a local redirect.

/** A field that asks for something else in place of the response body. */
export interface OffloadField {
  /** In lower case. */
  readonly name: string
  readonly value: string
}

/** In order of precedence, as with lighttpd. */
const NAMES = ['x-sendfile2', 'x-sendfile', 'x-lighttpd-send-file', 'x-accel-redirect']

/**
 * The fields of a response that replace its body, in order of precedence, without empty ones.
 * @param flat all fields of the response.
 * @param candidates its fields named X-Sendfile and so on, with names in lower case.
 * @param statusGiven whether the application sent a status; a local redirect has none.
 */
export function offloadFields(
  flat: readonly string[],
  candidates: readonly string[],
  statusGiven: boolean,
): readonly OffloadField[] {
  if (!statusGiven && isLocalRedirect(flat)) return [{ name: 'location', value: flat[1] ?? '' }]
  if (candidates.length === 0) return NONE
  const found = new Map<string, string>()
  for (let at = 0; at + 1 < candidates.length; at += 2) {
    const name = candidates[at] ?? ''
    const value = candidates[at + 1] ?? ''
    if (value.trim() === '') continue
    const before = found.get(name)
    // Values of repeated X-Sendfile2 fields are combined; of other fields only the first counts.
    if (before === undefined) found.set(name, value)
    else if (name === 'x-sendfile2') found.set(name, `${before},${value}`)
  }
  return NAMES.filter((name) => found.has(name)).map((name) => ({
    name,
    value: found.get(name) ?? '',
  }))
}

const NONE: readonly OffloadField[] = []

/** Whether Location is the only field and a path (RFC 3875 §6.2.2). Two slashes at its start would name another host. */
function isLocalRedirect(flat: readonly string[]): boolean {
  const [name = '', value = ''] = flat
  return flat.length === 2 && name.toLowerCase() === 'location' && /^\/(?!\/)/.test(value)
}
