// A response body that several clients read while it comes from the application.

import { Readable } from 'node:stream'

/** Told how a shared body ends. */
export interface BodyEnd {
  /** All of the body; undefined if it was longer than the limit. */
  onWhole(body: Buffer | undefined): void
  /** The body broke off. */
  onBroken(error: Error): void
}

/**
 * Reads a body at full speed and gives every reader all of it, each at its own speed, so that a slow client does not slow the
 * others. At most `limit` bytes are kept; a longer body goes on at the speed of its slowest reader.
 */
export class SharedBody {
  readonly #source: Readable
  readonly #limit: number
  readonly #end: BodyEnd
  readonly #readers = new Set<BodyReader>()
  readonly #chunks: Buffer[] = []
  /** Number of chunks that have been dropped from the front. */
  #dropped = 0
  /** Bytes of the chunks that are kept. */
  #size = 0
  #isTooLong = false
  #isComplete = false
  #isBroken = false

  constructor(source: Readable, limit: number, end: BodyEnd) {
    this.#source = source
    this.#limit = limit
    this.#end = end
    source.on('data', (chunk: Buffer) => this.#take(chunk))
    source.once('end', () => this.#complete())
    source.once('error', (error) => this.#break(error))
    source.once('close', () => this.#break(new Error('the response broke off')))
  }

  /** Whether another client can still get all of the body. */
  get canBeJoined(): boolean {
    return !this.#isTooLong && !this.#isBroken
  }

  /** A stream of all of the body. It is destroyed with an error if the body breaks off. */
  reader(): Readable {
    const reader = new BodyReader(this)
    this.#readers.add(reader)
    return reader
  }

  /** The chunk after `index` chunks; null at the end; undefined if it has not come yet. */
  chunkAt(index: number): Buffer | null | undefined {
    const chunk = this.#chunks[index - this.#dropped]
    if (chunk !== undefined) return chunk
    return this.#isComplete ? null : undefined
  }

  /** A reader has taken a chunk. */
  advanced(): void {
    if (this.#isTooLong) this.#dropRead()
  }

  /** A reader has ended, or its client has gone. */
  left(reader: BodyReader): void {
    this.#readers.delete(reader)
    if (!this.#isTooLong) return
    if (this.#readers.size > 0) this.#dropRead()
    // Nobody wants it, and it cannot be stored.
    else this.#source.destroy()
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    if (this.#size > this.#limit && !this.#isTooLong) {
      this.#isTooLong = true
      this.#end.onWhole(undefined)
      if (this.#readers.size === 0) this.#source.destroy()
    }
    for (const reader of this.#readers) reader.wake()
    if (this.#isTooLong) this.#dropRead()
  }

  /** Drops what all readers have read, and waits for the slowest while too much is kept. */
  #dropRead(): void {
    let slowest = Number.POSITIVE_INFINITY
    for (const { position } of this.#readers) slowest = Math.min(slowest, position)
    while (this.#dropped < slowest && this.#chunks.length > 0) {
      this.#size -= this.#chunks.shift()?.length ?? 0
      this.#dropped++
    }
    if (this.#size > this.#limit) this.#source.pause()
    else if (this.#source.isPaused()) this.#source.resume()
  }

  #complete(): void {
    this.#isComplete = true
    if (!this.#isTooLong) this.#end.onWhole(Buffer.concat(this.#chunks))
    for (const reader of this.#readers) reader.wake()
  }

  #break(error: Error): void {
    if (this.#isComplete || this.#isBroken) return
    this.#isBroken = true
    this.#end.onBroken(error)
    for (const reader of this.#readers) reader.destroy(error)
  }
}

/** One client's view of a {@link SharedBody}. */
class BodyReader extends Readable {
  readonly #body: SharedBody
  /** Number of chunks that have been read. */
  position = 0
  #isWaiting = false

  constructor(body: SharedBody) {
    super()
    this.#body = body
    // Without a listener, an error of a body that is never read would end the process.
    this.on('error', () => {})
  }

  override _read(): void {
    this.#isWaiting = true
    this.wake()
  }

  /** Passes on what has come. */
  wake(): void {
    while (this.#isWaiting) {
      const chunk = this.#body.chunkAt(this.position)
      if (chunk === undefined) return
      this.position++
      this.#isWaiting = this.push(chunk) && chunk !== null
    }
    this.#body.advanced()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#body.left(this)
    callback(error)
  }
}
