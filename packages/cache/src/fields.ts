// Header fields as one flat array: name, value, name, value…, in the order and case they were received in.

/** Fields as a flat array: name, value, name, value…; values in latin1. */
export type FlatFields = readonly string[]

/** Fields of a request by their lower-case names, as node:http has them. */
export type RequestFields = Readonly<Record<string, string | string[] | undefined>>

/** All values of a field, in order. @param name in lower case. */
export function valuesOf(fields: FlatFields, name: string): string[] {
  const values: string[] = []
  for (let at = 0; at + 1 < fields.length; at += 2)
    if (fields[at]?.length === name.length && fields[at]?.toLowerCase() === name)
      values.push(fields[at + 1] ?? '')
  return values
}

/** The value of a field whose lines are combined by commas (RFC 9110 §5.2); undefined without the field. */
export function combined(fields: FlatFields, name: string): string | undefined {
  const values = valuesOf(fields, name)
  return values.length === 0 ? undefined : values.join(', ')
}

/** The only value of a field; undefined if it is missing or there are several lines. */
export function soleValue(fields: FlatFields, name: string): string | undefined {
  const values = valuesOf(fields, name)
  return values.length === 1 ? values[0] : undefined
}

/** The fields whose lower-case name passes a test. */
export function filterFields(fields: FlatFields, keep: (name: string) => boolean): string[] {
  const kept: string[] = []
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = fields[at] ?? ''
    if (keep(name.toLowerCase())) kept.push(name, fields[at + 1] ?? '')
  }
  return kept
}

/** Fields by lower-case name, as stores keep them; several lines of a field become an array. */
export type FieldRecord = Record<string, string | string[]>

export function toRecord(fields: FlatFields): FieldRecord {
  const record = new Map<string, string | string[]>()
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const name = (fields[at] ?? '').toLowerCase()
    const value = fields[at + 1] ?? ''
    const before = record.get(name)
    record.set(name, before === undefined ? value : [before, value].flat())
  }
  return Object.fromEntries(record)
}

export function toFlat(record: Readonly<FieldRecord>): string[] {
  const fields: string[] = []
  for (const [name, value] of Object.entries(record))
    for (const line of [value].flat()) fields.push(name, String(line))
  return fields
}
