// Passes the body of a request from STDIN or DATA records to the stream that the listener reads.
import type { Readable } from 'node:stream'

/**
 * Pushes STDIN or DATA into a stream, and counts it against the announced length: bytes beyond it are dropped, and a body
 * that is shorter never ends its stream, so that a truncated body cannot be taken for a complete one.
 */
export class BodyFeed {
  /** Bytes received so far. */
  received = 0
  /** Whether the whole body has been received. */
  complete = false
  /** Whether the stream is above its high-water mark; its `_read` resets this. */
  full = false

  readonly #stream: Readable
  readonly #length: number | undefined
  readonly #onComplete: () => void

  /** @param length length of the body in bytes; undefined if only the empty record marks its end. */
  constructor(stream: Readable, length: number | undefined, onComplete: () => void = () => {}) {
    this.#stream = stream
    this.#length = length
    this.#onComplete = onComplete
  }

  /** Whether the stream waits for more data. */
  get needsData(): boolean {
    return !this.complete && !this.full
  }

  /** Bytes in the buffer of the stream. */
  get unread(): number {
    return this.#stream.readableLength
  }

  /** Ends the stream if the announced length is 0. */
  start(): void {
    if (this.#length === 0) this.#finish()
  }

  /** Pushes the content of a record. */
  push(chunk: Buffer): void {
    if (this.complete) return
    const left = this.#length === undefined ? chunk.length : this.#length - this.received
    const piece = chunk.length > left ? chunk.subarray(0, left) : chunk
    this.received += piece.length
    if (!this.#stream.push(piece)) this.full = true
    if (this.received === this.#length) this.#finish()
  }

  /** The empty record has been received. Returns false if the body is shorter than announced. */
  end(): boolean {
    if (!this.complete && (this.#length === undefined || this.received === this.#length))
      this.#finish()
    return this.complete
  }

  #finish(): void {
    this.complete = true
    this.#onComplete()
    this.#stream.push(null)
  }
}
