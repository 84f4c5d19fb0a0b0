/** A field by which an application has something else sent in the place of its body. */
export interface OffloadField {
  /** In lower case. */
  readonly name: string
  readonly value: string
}

/** In the order in which they count, as with lighttpd. */
const NAMES = ['x-sendfile2', 'x-sendfile', 'x-lighttpd-send-file', 'x-accel-redirect']

/**
 * The fields of a response head by which something else is sent than the body behind it, in the order in which they
 * count; those that name nothing are left out.
 * @param instructions those of the fields that are for the gateway, with names in lower case.
 * @param statusGiven whether the application gave a status.
 */
export function offloadFields(
  flat: readonly string[],
  instructions: readonly string[],
  statusGiven: boolean,
): readonly OffloadField[] {
  if (!statusGiven && isLocalRedirect(flat)) return [{ name: 'location', value: flat[1] ?? '' }]
  if (instructions.length === 0) return NONE
  const found = new Map<string, string>()
  for (let at = 0; at + 1 < instructions.length; at += 2) {
    const name = instructions[at] ?? ''
    const value = instructions[at + 1] ?? ''
    if (value.trim() === '') continue
    const before = found.get(name)
    // Of several X-Sendfile2 each one counts, of others the first.
    if (before === undefined) found.set(name, value)
    else if (name === 'x-sendfile2') found.set(name, `${before},${value}`)
  }
  return NAMES.filter((name) => found.has(name)).map((name) => ({
    name,
    value: found.get(name) ?? '',
  }))
}

const NONE: readonly OffloadField[] = []

/** RFC 3875 §6.2.2: a path as Location, and nothing else; two slashes would name another host. */
function isLocalRedirect(flat: readonly string[]): boolean {
  const [name = '', value = ''] = flat
  return flat.length === 2 && name.toLowerCase() === 'location' && /^\/(?!\/)/.test(value)
}
