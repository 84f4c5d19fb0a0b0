// Lines of STDERR: whole, on one line each, and bounded so that the last ones always survive.

/** Maximum length of a line in bytes. */
const MAX_LINE = 8192
const LF = 0x0a
/** What php-fpm puts between the messages that it sends as one line. */
const SEPARATOR = '; PHP message: '
const NEXT_MESSAGE = SEPARATOR.slice(2)

/**
 * Splits STDERR into lines, which may span several records. The output may contain text from a request, so control
 * characters are escaped against log injection, and the length of a line and the total size are limited.
 *
 * A flood of notices must not hide the fatal error after it, hence of more than `cap` bytes the first three quarters are
 * reported as they come, and the last quarter at the end. A line between them says how many lines were left out.
 */
export class StderrLines {
  readonly #onLine: (line: string) => void
  readonly #maxHeld: number
  /** Bytes that are still reported as they come. */
  #left: number
  /** The beginning of the line that is not complete, at most MAX_LINE bytes. */
  #rest: Buffer = EMPTY
  /** Length of what followed it and was dropped, and its last bytes, in which a separator may begin. */
  #cut = 0
  #cutEnd: Buffer = EMPTY
  /** The last lines of a flood. */
  readonly #held: string[] = []
  #heldLength = 0
  #omitted = 0

  /** @param cap maximum total size in bytes; Infinity for no limit. */
  constructor(onLine: (line: string) => void, cap = 65_536) {
    this.#onLine = onLine
    this.#maxHeld = cap / 4
    this.#left = cap === Number.POSITIVE_INFINITY ? cap : cap - this.#maxHeld
  }

  /** Processes a chunk and reports its complete lines. */
  push(chunk: Buffer): void {
    let start = 0
    for (let lf = chunk.indexOf(LF); lf !== -1; lf = chunk.indexOf(LF, start)) {
      this.#add(chunk.subarray(start, lf))
      this.#emit()
      start = lf + 1
    }
    this.#add(chunk.subarray(start))
  }

  /** Reports a last line without a line end, and the last lines of a flood. */
  end(): void {
    this.#emit()
    const lines = this.#held.splice(0)
    if (this.#omitted > 0) this.#onLine(`(${this.#omitted} lines of stderr left out here)`)
    this.#heldLength = this.#omitted = 0
    for (const line of lines) this.#onLine(line)
  }

  /** Adds a piece without LF to the incomplete line, and reports the messages that it completes. */
  #add(piece: Buffer): void {
    if (piece.length === 0) return
    let text = Buffer.concat([this.#cut > 0 ? this.#cutEnd : this.#rest, piece])
    for (let at = text.indexOf(SEPARATOR); at !== -1; at = text.indexOf(SEPARATOR)) {
      this.#keep(text.subarray(0, at))
      this.#emit()
      text = text.subarray(at + SEPARATOR.length - NEXT_MESSAGE.length)
    }
    this.#keep(text)
  }

  /** Sets the incomplete line, or what it goes on with where its beginning was cut already. */
  #keep(text: Buffer): void {
    if (this.#cut > 0) this.#cut += text.length - this.#cutEnd.length
    else {
      this.#rest = Buffer.from(text.subarray(0, MAX_LINE))
      this.#cut = Math.max(0, text.length - MAX_LINE)
    }
    this.#cutEnd = Buffer.from(text.subarray(1 - SEPARATOR.length))
  }

  #emit(): void {
    const cut = Math.max(0, this.#cut)
    // A separator may begin before the cut.
    const rest = this.#rest.subarray(0, this.#rest.length + this.#cut - cut)
    this.#rest = this.#cutEnd = EMPTY
    this.#cut = 0
    const line = escapeControls(rest.toString('utf8').trimEnd())
    if (line !== '') this.#report(cut === 0 ? line : `${line} (${cut} bytes left out)`)
  }

  #report(line: string): void {
    const length = Buffer.byteLength(line) + 1
    this.#left -= length
    if (this.#left >= 0) {
      this.#onLine(line)
      return
    }
    this.#left = 0
    this.#held.push(line)
    this.#heldLength += length
    while (this.#heldLength > this.#maxHeld && this.#held.length > 1) {
      this.#heldLength -= Buffer.byteLength(this.#held.shift() ?? '') + 1
      this.#omitted++
    }
  }
}

const EMPTY = Buffer.alloc(0)

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/g

/** Escapes control characters as \xNN and U+2028, U+2029 as \uNNNN, so that a text stays on one line of a log. */
export function escapeControls(text: string): string {
  return text.replace(CONTROL, (char) => {
    const code = char.charCodeAt(0)
    return code > 255 ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, '0')}`
  })
}
