// Parsing of the response head that an application writes to STDOUT (RFC 3875 §6).
import { ProtocolError } from './errors.ts'

/** Limits of a response head. */
export interface ResponseHeadLimits {
  /** Maximum length of a response head in bytes, its final empty line included. @default 65536 */
  maxBytes?: number
  /** Maximum number of fields in a response head, `Status` not counted. @default 256 */
  maxFields?: number
}

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const TAB = 0x09
const COLON = 0x3a

/**
 * Incremental parser of a CGI response head (RFC 3875 §6). Lines end in CRLF or LF, also mixed.
 *
 * It accepts deviations that real applications send and that have only one interpretation: folded lines are joined by
 * a space; a first line `HTTP/1.1 200 OK` (an NPH response) gives the status unless there is a Status field; the first
 * of several Status fields counts; the same Content-Length more than once counts once (RFC 9110 §8.6), and an empty one is
 * left out. It refuses input that another parser could interpret differently: a line without a
 * colon, a field name that is not a token (RFC 9110 §5.6.2), control characters, a Status that is not three digits, a
 * Content-Length that is not a number, and two Content-Lengths that differ.
 */
export class ResponseHeadParser {
  /** Status code, 100 to 999: the Status field, else the NPH line, else 302 with Location, else 200. 0 until known. */
  status = 0
  /** Reason phrase that the application sent, else ''. */
  reason = ''
  /**
   * All fields except Status, flat: name, value, name, value. Order, case and duplicates, except those of Content-Length,
   * are preserved; text is decoded as latin1.
   */
  headers: string[] = []

  readonly #maxBytes: number
  readonly #maxFields: number
  #buffered: Buffer | undefined
  #bufferedLength = 0
  #scanned = 0
  #lineStart = 0
  #firstLine = true
  #statusFrom: 'field' | 'line' | undefined
  #hasLocation = false
  #contentLength: number | undefined
  #complete = false

  constructor(limits: ResponseHeadLimits = {}) {
    this.#maxBytes = limits.maxBytes ?? 65_536
    this.#maxFields = limits.maxFields ?? 256
  }

  /** Whether the application sent the status, in a Status field or an NPH line. */
  get statusGiven(): boolean {
    return this.#statusFrom !== undefined
  }

  /** Whether no byte has been pushed so far. */
  get untouched(): boolean {
    return this.#bufferedLength === 0 && !this.#complete
  }

  /**
   * Parses the next chunk of output. Returns the offset in `chunk` at which the body begins, or -1 while the head is
   * incomplete. Must not be called again after it has thrown or returned an offset.
   * @throws ProtocolError when the head is malformed or over its limits.
   */
  push(chunk: Buffer): number {
    if (this.#buffered === undefined) {
      const end = this.#parse(chunk)
      if (end !== -1) return end
      this.#append(chunk)
      return -1
    }
    const before = this.#bufferedLength
    this.#append(chunk)
    // Only the filled part: a search for LF through the unused capacity at every push would make the time quadratic.
    const end = this.#parse(this.#buffered.subarray(0, this.#bufferedLength))
    return end === -1 ? -1 : end - before
  }

  #append(chunk: Buffer): void {
    const length = this.#bufferedLength + chunk.length
    if (this.#buffered === undefined || this.#buffered.length < length) {
      const grown = Buffer.allocUnsafe(Math.max(length, (this.#buffered?.length ?? 512) * 2))
      this.#buffered?.copy(grown, 0, 0, this.#bufferedLength)
      this.#buffered = grown
    }
    chunk.copy(this.#buffered, this.#bufferedLength)
    this.#bufferedLength = length
  }

  // Parses complete lines. A line is complete when the byte after its LF is known, because a space or tab there
  // continues the line (obs-fold, RFC 9112 §5.2).
  #parse(buffer: Buffer): number {
    const { length } = buffer
    for (;;) {
      const lf = buffer.indexOf(LF, this.#scanned)
      if (lf === -1) {
        this.#scanned = length
        this.#checkSize(length)
        return -1
      }
      const end = lf > this.#lineStart && buffer[lf - 1] === CR ? lf - 1 : lf
      this.#checkSize(lf + 1)
      if (end === this.#lineStart) {
        this.#finish()
        return lf + 1
      }
      if (lf + 1 === length) {
        this.#scanned = lf
        return -1
      }
      const next = buffer[lf + 1]
      this.#scanned = lf + 1
      if (next === SPACE || next === TAB) continue
      this.#parseLine(buffer, this.#lineStart, end)
      this.#lineStart = lf + 1
    }
  }

  #checkSize(length: number): void {
    if (length > this.#maxBytes)
      throw new ProtocolError(
        `response head is over ${this.#maxBytes} bytes (option maxHeadSize); is the application printing a body without a head?`,
      )
  }

  #parseLine(buffer: Buffer, start: number, end: number): void {
    const first = this.#firstLine
    this.#firstLine = false
    let colon = start
    while (colon < end && buffer[colon] !== COLON) colon++
    if (first && this.#parseStatusLine(buffer, start, end)) return
    if (colon === end)
      throw new ProtocolError(
        `response head has a line without a colon: ${quote(buffer, start, end)}`,
      )
    const name = buffer.toString('latin1', start, colon)
    if (!isToken(name))
      throw new ProtocolError(
        `response head has a field name that is no token: ${quote(buffer, start, colon)}`,
      )
    let value = buffer.toString('latin1', colon + 1, end)
    if (HAS_CONTROL.test(value)) value = unfold(name, value)
    this.#takeField(name, trimBlanks(value))
  }

  #parseStatusLine(buffer: Buffer, start: number, end: number): boolean {
    if (buffer[start] !== 0x48 /* H */) return false
    const match = /^HTTP\/\d(?:\.\d)? ([1-9]\d\d)(?: (.*))?$/.exec(
      buffer.toString('latin1', start, end),
    )
    if (match === null) return false
    this.status = Number(match[1])
    this.reason = trimBlanks(unfold('the status line', match[2] ?? ''))
    this.#statusFrom = 'line'
    return true
  }

  #takeField(name: string, value: string): void {
    const { length } = name
    const known = length === 6 || length === 8 || length === 14 ? name.toLowerCase() : ''
    if (known === 'status') {
      this.#takeStatus(value)
      return
    }
    if (known === 'location') this.#hasLocation = true
    else if (known === 'content-length' && !this.#takeContentLength(value)) return
    if (this.headers.length >= this.#maxFields * 2)
      throw new ProtocolError(`response head has over ${this.#maxFields} fields`)
    this.headers.push(name, value)
  }

  #takeStatus(value: string): void {
    if (this.#statusFrom === 'field') return
    const match = /^([1-9]\d\d)(?:[ \t]+(.*))?$/.exec(value)
    if (match === null)
      throw new ProtocolError(
        `response head has a Status that is not three digits: ${value.slice(0, 64)}`,
      )
    this.status = Number(match[1])
    this.reason = match[2] ?? ''
    this.#statusFrom = 'field'
  }

  /** Whether the field is to be kept. */
  #takeContentLength(value: string): boolean {
    if (value === '') return false
    if (!/^\d{1,15}$/.test(value))
      throw new ProtocolError(
        `response head has a Content-Length that is no number: ${value.slice(0, 64)}`,
      )
    const known = this.#contentLength
    this.#contentLength = Number(value)
    if (known === undefined) return true
    if (known !== this.#contentLength)
      throw new ProtocolError('response head has more than one Content-Length')
    return false
  }

  #finish(): void {
    this.#complete = true
    if (this.status === 0) this.status = this.#hasLocation ? 302 : 200
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const HAS_CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/

function unfold(name: string, value: string): string {
  // One regular expression for line ends and blanks together would take quadratic time on a long run of blanks.
  const unfolded = value.split(/\r?\n/).map(trimBlanks).join(' ')
  if (HAS_CONTROL.test(unfolded))
    throw new ProtocolError(`response head has a control character in the value of ${name}`)
  return unfolded
}

// String.trim() also removes U+00A0, which in a latin1 string may be the second byte of a UTF-8 character.
function trimBlanks(value: string): string {
  let from = 0
  let to = value.length
  while (from < to && isBlank(value.charCodeAt(from))) from++
  while (to > from && isBlank(value.charCodeAt(to - 1))) to--
  return from === 0 && to === value.length ? value : value.slice(from, to)
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

function isToken(name: string): boolean {
  return TOKEN.test(name)
}

function quote(buffer: Buffer, start: number, end: number): string {
  return JSON.stringify(buffer.toString('latin1', start, Math.min(end, start + 64)))
}
