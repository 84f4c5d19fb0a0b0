// Helpers for header fields kept as one flat array: name, value, name, value…, in the order and case they were sent in.

/** The first value of a field; names are compared without case. */
export function fieldValue(flat: readonly string[], name: string): string | undefined {
  const wanted = name.toLowerCase()
  for (let at = 0; at + 1 < flat.length; at += 2)
    if (flat[at]?.length === wanted.length && flat[at]?.toLowerCase() === wanted)
      return flat[at + 1]
  return undefined
}

/** The fields whose name is not in a set. @param names in lower case. */
export function withoutFields(flat: readonly string[], names: ReadonlySet<string>): string[] {
  return flat.filter((_, at) => !names.has(flat[at - (at % 2)]?.toLowerCase() ?? ''))
}

/** The fields whose name is in a set. @param names in lower case. */
export function onlyFields(flat: readonly string[], names: ReadonlySet<string>): string[] {
  return flat.filter((_, at) => names.has(flat[at - (at % 2)]?.toLowerCase() ?? ''))
}

/** The field names listed in Connection, in lower case (RFC 9110 §7.6.1); undefined without a Connection field. */
export function connectionOptions(flat: readonly string[]): Set<string> | undefined {
  for (let at = 0; at < flat.length; at += 2)
    if (flat[at]?.length === 10 && flat[at]?.toLowerCase() === 'connection')
      return new Set((flat[at + 1] ?? '').toLowerCase().split(/[\s,]+/))
  return undefined
}
