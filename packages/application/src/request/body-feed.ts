import type { Readable } from 'node:stream'

/**
 * Feeds STDIN or DATA to the stream it is read from, counted against the length it was announced with: what is over
 * it is not part of the body, and a body that is short of it never ends.
 */
export class BodyFeed {
  /** Bytes so far. */
  received = 0
  /** Whether the whole body came. */
  complete = false
  /** Whether the stream has as much as it wants for now; its `_read` takes this back. */
  full = false

  readonly #stream: Readable
  readonly #length: number | undefined
  readonly #onComplete: () => void

  /** @param length bytes, undefined where only the end of the stream of records tells. */
  constructor(stream: Readable, length: number | undefined, onComplete: () => void = () => {}) {
    this.#stream = stream
    this.#length = length
    this.#onComplete = onComplete
  }

  /** Whether a piece is being waited for. */
  get hungry(): boolean {
    return !this.complete && !this.full
  }

  /** Bytes that nobody has read yet. */
  get unread(): number {
    return this.#stream.readableLength
  }

  /** Ends a body that has no bytes. */
  start(): void {
    if (this.#length === 0) this.#finish()
  }

  /** Takes a piece. */
  push(chunk: Buffer): void {
    if (this.complete) return
    const left = this.#length === undefined ? chunk.length : this.#length - this.received
    const piece = chunk.length > left ? chunk.subarray(0, left) : chunk
    this.received += piece.length
    if (!this.#stream.push(piece)) this.full = true
    if (this.received === this.#length) this.#finish()
  }

  /** The stream of records has ended. False when bytes are missing. */
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
