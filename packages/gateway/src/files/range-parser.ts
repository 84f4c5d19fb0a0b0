// Parses the Range field of a request (RFC 9110 §14).

/** A range of bytes; offsets are inclusive at both ends, as in Content-Range. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/** Maximum ranges of a request; one with more gets the whole file (CVE-2011-3192). */
const MAX_RANGES = 128

/** Ranges with a gap of at most this many bytes are merged, because the head of a separate part would be longer. */
const MERGE_GAP = 80

/**
 * The ranges that a Range field asks for, in its order; those that overlap or nearly meet are merged. Empty if none of them
 * is within the file (416); undefined if the field is to be ignored (RFC 9110 §14.2), because it is malformed, uses
 * another unit than bytes, or has too many ranges.
 * @param size of the file in bytes.
 */
export function parseRanges(field: string, size: number): ByteRange[] | undefined {
  const set = /^bytes[ \t]*=(.*)$/i.exec(field)?.[1]
  // No range of an empty file can be satisfied, but the whole file can be sent.
  if (set === undefined || size === 0) return undefined
  const specs = set.split(',').map((spec) => spec.trim())
  const asked = specs.filter((spec) => spec !== '').map((spec) => parseSpec(spec, size))
  if (asked.length === 0 || asked.length > MAX_RANGES || asked.includes(undefined)) return undefined
  return merge(
    asked.filter((range) => range !== undefined && range.first <= range.last) as ByteRange[],
  )
}

/** Parses one range. It has `first > last` if it is outside of the file; undefined if it is malformed. */
function parseSpec(spec: string, size: number): ByteRange | undefined {
  const [, first = '', last = ''] = /^(\d*)-(\d*)$/.exec(spec) ?? []
  if (first === '')
    return last === '' ? undefined : { first: Math.max(0, size - Number(last)), last: size - 1 }
  if (last !== '' && Number(last) < Number(first)) return undefined
  return { first: Number(first), last: last === '' ? size - 1 : Math.min(Number(last), size - 1) }
}

function merge(asked: readonly ByteRange[]): ByteRange[] {
  const ordered = asked
    .map((range, order) => ({ ...range, order }))
    .sort((a, b) => a.first - b.first)
  const merged: typeof ordered = []
  for (const range of ordered) {
    const before = merged.at(-1)
    if (before === undefined || range.first > before.last + MERGE_GAP) merged.push(range)
    else {
      before.last = Math.max(before.last, range.last)
      before.order = Math.min(before.order, range.order)
    }
  }
  return merged.sort((a, b) => a.order - b.order).map(({ first, last }) => ({ first, last }))
}
