const MAX_LINE = 8192
const LF = 0x0a

/**
 * Puts STDERR together into lines: record borders are no line borders. What an application prints may hold
 * text from a request, so control characters are escaped (log injection), and length and sum are capped.
 */
export class StderrLines {
  readonly #onLine: (line: string) => void
  #left: number
  #dropped = false
  #rest: Buffer[] = []
  #restLength = 0

  /** @param cap most bytes taken of one request; what comes after is dropped, and a line says so. */
  constructor(onLine: (line: string) => void, cap = 65_536) {
    this.#onLine = onLine
    this.#left = cap
  }

  push(chunk: Buffer): void {
    if (this.#dropped) return
    let piece = chunk
    const over = chunk.length > this.#left
    if (over) piece = chunk.subarray(0, this.#left)
    this.#left -= piece.length
    let start = 0
    for (let lf = piece.indexOf(LF); lf !== -1; lf = piece.indexOf(LF, start)) {
      this.#add(piece.subarray(start, lf))
      this.#emit()
      start = lf + 1
    }
    this.#add(piece.subarray(start))
    if (over) {
      this.#dropped = true
      this.#emit()
      this.#onLine('(more on stderr; dropped)')
    }
  }

  /** Hands out a last line that had no line end. */
  end(): void {
    this.#emit()
  }

  #add(piece: Buffer): void {
    const room = MAX_LINE - this.#restLength
    if (piece.length === 0 || room <= 0) return
    const kept = Buffer.from(piece.subarray(0, room))
    this.#rest.push(kept)
    this.#restLength += kept.length
  }

  #emit(): void {
    if (this.#restLength === 0) return
    const line = Buffer.concat(this.#rest, this.#restLength).toString('utf8')
    this.#rest = []
    this.#restLength = 0
    const clean = escapeControls(line.trimEnd())
    if (clean !== '') this.#onLine(clean)
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/g

/** Writes control characters as \xNN (and line separators as \uNNNN), so that a text stays one line of a log. */
export function escapeControls(text: string): string {
  return text.replace(CONTROL, (char) => {
    const code = char.charCodeAt(0)
    return code > 255 ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, '0')}`
  })
}
