// Vary: which requests a stored response may be used for (RFC 9111 §4.1).

import { combined, type FlatFields, type RequestFields } from '../fields.ts'

/** Values of the fields that Vary names, by lower-case name, as they select the response; null for a missing field. */
export type Selection = Record<string, string | null>

/** The lower-case names that Vary lists; undefined for `*`, which no request matches. */
export function varyNames(response: FlatFields): readonly string[] | undefined {
  const field = combined(response, 'vary')
  if (field === undefined) return []
  const names = field
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
  return names.includes('*') ? undefined : [...new Set(names.filter((name) => name !== ''))]
}

/** The selecting values of a request. */
export function selectionOf(names: readonly string[], request: RequestFields): Selection {
  const selection: Selection = {}
  for (const name of names) selection[name] = selectingValue(name, request[name])
  return selection
}

/** Whether a request has the selecting values. */
export function selects(
  selection: Readonly<Record<string, string | string[] | null>> | undefined,
  request: RequestFields,
): boolean {
  if (selection === undefined) return true
  for (const name in selection)
    if (!isSelecting(name, selection[name] ?? null, request[name])) return false
  return true
}

function isSelecting(
  name: string,
  wanted: string | string[] | null,
  given: string | string[] | undefined,
): boolean {
  // A value that needs no normalization is compared first.
  return wanted === given || selectingValue(name, given) === wanted
}

/** Fields whose values are compared without case: language tags and content codings. */
const CASELESS = new Set(['accept-language', 'accept-encoding'])

/**
 * The value of a selecting field without what has no meaning: lines are combined, spaces around commas removed (RFC 9111
 * §4.1), and language tags and codings lower-cased. The order is kept, because applications take it for a preference.
 */
export function selectingValue(name: string, value: string | string[] | undefined): string | null {
  if (value === undefined) return null
  const lines = typeof value === 'string' ? value : value.join(',')
  const packed = lines.trim().replace(/[ \t]*,[ \t]*/g, ',')
  return CASELESS.has(name) ? packed.toLowerCase().replaceAll(' ', '') : packed
}

/** The fields of a request as {@link selects} compares them, for stores that compare by themselves. */
export function selectingFields(request: RequestFields): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const name in request) {
    const value = selectingValue(name, request[name])
    if (value !== null) fields[name] = value
  }
  return fields
}
