/** Number of lines that are kept, for the error messages of a failed start. */
const MAX_LINES = 5

/** The last lines of the output of a child. */
export class OutputTail {
  #lines: string[] = []

  add(line: string): void {
    this.#lines = [...this.#lines, line].slice(-MAX_LINES)
  }

  /** The lines, joined. */
  get text(): string {
    return this.#lines.join(' | ')
  }
}
