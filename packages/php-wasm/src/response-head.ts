// The head of a response as PHP writes it.

/** The head of a response. */
export interface ResponseHead {
  readonly status: number
  /** Name, value, name, value …; latin1. */
  readonly fields: readonly string[]
  /** Fields that cannot be sent, for the error log. */
  readonly dropped: readonly string[]
}

/** Characters that the value of a field must not have (RFC 9110 §5.5). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
const INVALID = /[\x00-\x08\x0a-\x1f\x7f]/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/**
 * Reads the head: JSON with `status` and `headers`, in which PHP's SAPI escapes quotes and backslashes only.
 * @throws SyntaxError if it is none.
 */
export function readHead(json: string): ResponseHead {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON has them escaped
  const escaped = json.replace(/[\x00-\x09\x0b-\x1f]/g, (character) =>
    JSON.stringify(character).slice(1, -1),
  )
  const { status, headers } = JSON.parse(escaped) as { status: number; headers: string[] }
  const fields: string[] = []
  const length: string[] = []
  const dropped: string[] = []
  let code = status
  for (const line of headers) {
    const at = line.indexOf(':')
    // The SAPI ends the list with a line that is no field.
    if (at === -1) continue
    const name = line.slice(0, at)
    const value = line.slice(at + 1).trim()
    // As in CGI, a script may set its status by a field.
    if (name.toLowerCase() === 'status') code = Number.parseInt(value, 10) || code
    else if (!TOKEN.test(name) || INVALID.test(value)) dropped.push(name)
    // Last, because node:http encodes a Content-Disposition that follows it in another way.
    else (name.toLowerCase() === 'content-length' ? length : fields).push(name, value)
  }
  return { status: code, fields: [...fields, ...length], dropped }
}
