// Cache-Control of requests and responses (RFC 9111 §5.2).

/** Directives of a Cache-Control field, as cache stores of undici keep them. Durations are in seconds. */
export interface Directives {
  'max-age'?: number
  's-maxage'?: number
  'max-stale'?: number
  'min-fresh'?: number
  'stale-while-revalidate'?: number
  'stale-if-error'?: number
  public?: true
  /** True, or the lower-case names of the fields that are concerned. */
  private?: true | string[]
  /** True, or the lower-case names of the fields that are concerned. */
  'no-cache'?: true | string[]
  'no-store'?: true
  'must-revalidate'?: true
  'proxy-revalidate'?: true
  'must-understand'?: true
  'only-if-cached'?: true
  'no-transform'?: true
  immutable?: true
}

const SECONDS = new Set([
  'max-age',
  's-maxage',
  'max-stale',
  'min-fresh',
  'stale-while-revalidate',
  'stale-if-error',
])
const FLAGS = new Set([
  'public',
  'no-store',
  'must-revalidate',
  'proxy-revalidate',
  'must-understand',
  'only-if-cached',
  'no-transform',
  'immutable',
])

/** The largest duration, in seconds; larger ones are taken for it (RFC 9111 §1.2.2). */
export const MAX_SECONDS = 2_147_483_648

/**
 * Parses a Cache-Control field. Of a directive that occurs more than once the first counts. A duration that is no whole
 * number is 0: the response is then stale (RFC 9111 §4.2.1), and `max-stale` allows nothing.
 * @param field the field's lines, combined.
 */
export function parseDirectives(field: string | undefined): Directives {
  const directives: Directives = {}
  if (field === undefined) return directives
  for (const piece of split(field)) {
    const equals = piece.indexOf('=')
    const name = (equals === -1 ? piece : piece.slice(0, equals)).toLowerCase()
    setDirective(directives, name, equals === -1 ? undefined : piece.slice(equals + 1))
  }
  return directives
}

function setDirective(directives: Directives, spelled: string, value: string | undefined): void {
  const name = spelled.trimEnd()
  if (Object.hasOwn(directives, name)) return
  if (SECONDS.has(name)) {
    // A space before the equals sign is not allowed.
    const isValid = name === spelled && value !== undefined
    const given = isValid ? seconds(value) : name === 'max-stale' ? MAX_SECONDS : 0
    Object.assign(directives, { [name]: given })
  } else if (FLAGS.has(name)) Object.assign(directives, { [name]: true })
  else if (name === 'no-cache' || name === 'private')
    directives[name] = value === undefined ? true : fieldNames(value)
}

function seconds(value: string): number {
  const digits = /^(?:(\d+)|"(\d+)")$/.exec(value)
  return digits === null ? 0 : Math.min(Number(digits[1] ?? digits[2]), MAX_SECONDS)
}

/** The names that a qualified directive lists. A list without any concerns the whole response, to be safe. */
function fieldNames(value: string): true | string[] {
  const names = value
    .replace(/^"|"$/g, '')
    .toLowerCase()
    .split(/[\s,]+/)
  const given = names.filter((name) => name !== '')
  return given.length === 0 ? true : given
}

/** The list items of a field; commas in quoted strings separate nothing. */
function split(field: string): string[] {
  if (!field.includes('"')) return field.split(',').map((piece) => piece.trim())
  const pieces = field.match(/(?:"(?:[^"\\]|\\.)*"?|[^",])+/g) ?? []
  return pieces.map((piece) => piece.trim())
}
