/** Bytes of a file, both ends included, as Content-Range counts them. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/** Most ranges of a request; with more it gets the whole file (CVE-2011-3192). */
const MAX_RANGES = 128

/** Ranges that are closer than this are sent as one: the head of another part would be longer. */
const MERGE_GAP = 80

/**
 * The ranges that a Range field asks for, merged where they overlap or nearly meet, in the order they were asked for.
 * Empty when none of them is within the file (416); undefined when the field does not count: malformed, of another unit
 * than bytes, too many ranges (RFC 9110 §14.2).
 * @param size of the file in bytes.
 */
export function parseRanges(field: string, size: number): ByteRange[] | undefined {
  const set = /^bytes[ \t]*=(.*)$/i.exec(field)?.[1]
  // Of an empty file, no range could be sent, and all of it can.
  if (set === undefined || size === 0) return undefined
  const specs = set.split(',').map((spec) => spec.trim())
  const asked = specs.filter((spec) => spec !== '').map((spec) => parseSpec(spec, size))
  if (asked.length === 0 || asked.length > MAX_RANGES || asked.includes(undefined)) return undefined
  return merge(
    asked.filter((range) => range !== undefined && range.first <= range.last) as ByteRange[],
  )
}

/** A range within the file, one with its ends the wrong way round if it is not; undefined when malformed. */
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
