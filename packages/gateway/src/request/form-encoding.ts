// application/x-www-form-urlencoded (URL Standard §5), with nested values in brackets as PHP reads them.

export type FormCharset = 'utf-8' | 'iso-8859-1'

/**
 * Encodes the fields of a form. Objects become `name[key]`; arrays become `name[0]`, or repeat their name if `repeats`.
 * Fields that are undefined are left out.
 */
export function encodeFields(body: object, charset: FormCharset, repeats: boolean): string {
  const fields = Object.entries(body).flatMap(([name, value]) => [
    ...fieldsOf(name, value, repeats),
  ])
  return fields
    .map(([name, text]) => `${percentEncode(name, charset)}=${percentEncode(text, charset)}`)
    .join('&')
}

function* fieldsOf(name: string, value: unknown, repeats: boolean): Generator<[string, string]> {
  if (value === undefined) return
  if (Array.isArray(value))
    for (const [at, each] of value.entries())
      yield* fieldsOf(repeats ? name : `${name}[${at}]`, each, repeats)
  else if (value === null) yield [name, '']
  else if (value instanceof Date) yield [name, value.toISOString()]
  else if (typeof value === 'object')
    for (const [key, each] of Object.entries(value))
      yield* fieldsOf(`${name}[${key}]`, each, repeats)
  else yield [name, String(value)]
}

/** Escapes all bytes but the unreserved ones of RFC 3986 §2.3. */
function percentEncode(text: string, charset: FormCharset): string {
  const bytes = charset === 'utf-8' ? Buffer.from(text) : Buffer.from(asLatin1(text), 'latin1')
  return bytes
    .toString('latin1')
    .replace(/[^A-Za-z0-9_.~-]/g, (char) => `%${HEX[char.charCodeAt(0)]}`)
}

const HEX = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).toUpperCase().padStart(2, '0'),
)

/** What browsers send for characters that the charset does not have. */
function asLatin1(text: string): string {
  return text.replace(/[^\0-\xff]/gu, (char) => `&#${char.codePointAt(0)};`)
}
