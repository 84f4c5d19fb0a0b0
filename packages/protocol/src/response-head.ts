import { ProtocolError } from './errors.ts'

/** Limits of a response head. */
export interface ResponseHeadLimits {
  /** Most bytes of one head, its empty line included. @default 65536 */
  maxBytes?: number
  /** Most header fields of one head. @default 256 */
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
 * Where the field disagrees, this one takes what real applications send as long as it has one meaning:
 * folded lines are joined by a space, a leading `HTTP/1.1 200 OK` line (NPH) gives the status unless a Status
 * field does, the first Status wins. What has two meanings is refused: a line without a colon, a name that is
 * no token, control characters, a Status that is not three digits, a second Content-Length or one that is no
 * number.
 */
export class ResponseHeadParser {
  /** Status code, 100 to 999: the Status field, else the NPH line, else 302 with Location, else 200. */
  status = 0
  /** Reason phrase as the application gave it, else ''. */
  reason = ''
  /** The other fields: name, value, name, value…; order, case and duplicates as they came, text as latin1. */
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
  #hasContentLength = false
  #complete = false

  constructor(limits: ResponseHeadLimits = {}) {
    this.#maxBytes = limits.maxBytes ?? 65_536
    this.#maxFields = limits.maxFields ?? 256
  }

  /** Whether the application gave the status itself, in a Status field or an NPH line. */
  get statusGiven(): boolean {
    return this.#statusFrom !== undefined
  }

  /** Whether nothing at all has been pushed so far. */
  get untouched(): boolean {
    return this.#bufferedLength === 0 && !this.#complete
  }

  /**
   * Takes the next piece of output. Returns where in `chunk` the body begins, or -1 while the head goes on.
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
    // Without the room behind it: looking for LF there at every push takes the square of the head's length.
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

  // Reads whole lines; a line counts as whole when the byte after its LF is known, which tells a fold.
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
    else if (known === 'content-length') this.#checkContentLength(value)
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

  #checkContentLength(value: string): void {
    if (this.#hasContentLength)
      throw new ProtocolError('response head has more than one Content-Length')
    if (!/^\d{1,15}$/.test(value))
      throw new ProtocolError(
        `response head has a Content-Length that is no number: ${value.slice(0, 64)}`,
      )
    this.#hasContentLength = true
  }

  #finish(): void {
    this.#complete = true
    if (this.status === 0) this.status = this.#hasLocation ? 302 : 200
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const HAS_CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/

function unfold(name: string, value: string): string {
  // Not one pattern for line end and blanks: on a long run of blanks it takes the square of their number.
  const unfolded = value.split(/\r?\n/).map(trimBlanks).join(' ')
  if (HAS_CONTROL.test(unfolded))
    throw new ProtocolError(`response head has a control character in the value of ${name}`)
  return unfolded
}

// Not String.trim: it takes 0xA0 away, which is half of a UTF-8 letter in a latin1 string.
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
