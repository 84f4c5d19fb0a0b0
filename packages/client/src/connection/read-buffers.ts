/** Bytes of one buffer: as many as libuv reads at once. */
const READ_SIZE = 65_536
/** Buffers that are kept for the next one who needs them. */
const MAX_SPARE_BUFFERS = 32
/** Bytes of a read that make it bulk. */
const BULK_READ_SIZE = READ_SIZE / 4
/** Reads that are no bulk, one after the other, that end it. */
const MAX_SMALL_READS = 8

/** A buffer that one socket reads into, and that can be lent to whoever passes on what was read. */
class LendableBuffer {
  readonly bytes = Buffer.allocUnsafeSlow(READ_SIZE)
  #loans = 0
  #inUse = true

  get lent(): boolean {
    return this.#loans > 0
  }

  /** Lends it; what is returned gives it back, however often it is called. */
  lend(): () => void {
    this.#loans++
    let isLent = true
    return () => {
      if (!isLent) return
      isLent = false
      this.#loans--
      this.#putBack()
    }
  }

  /** Nothing is read into it any more. */
  release(): undefined {
    this.#inUse = false
    this.#putBack()
  }

  reuse(): this {
    this.#inUse = true
    return this
  }

  #putBack(): void {
    if (!this.#inUse && !this.lent && spares.length < MAX_SPARE_BUFFERS) spares.push(this)
  }
}

// Whatever is never given back is collected as garbage, like any other buffer.
const spares: LendableBuffer[] = []

// One buffer for all sockets: libuv reads into it and reports at once, one socket after the other.
const shared = Buffer.allocUnsafeSlow(READ_SIZE)

/**
 * What a socket reads into: the buffer of all sockets, as long as little comes, for then idle connections cost nothing.
 * What comes in bulk is read into buffers of its own, and these can be lent: a body then goes on without being copied,
 * and no new memory is taken for it.
 */
export class ReadBuffers {
  #own: LendableBuffer | undefined
  /** How many reads still count as bulk. */
  #bulkReadsLeft = 0

  /** So many bytes have been read into the last one. */
  set filled(length: number) {
    if (length >= BULK_READ_SIZE) this.#bulkReadsLeft = MAX_SMALL_READS
    else if (this.#bulkReadsLeft > 0) this.#bulkReadsLeft--
  }

  /** What to read into next. */
  next(): Buffer {
    if (this.#bulkReadsLeft === 0) {
      this.release()
      return shared
    }
    if (this.#own?.lent) this.#own = this.#own.release()
    this.#own ??= spares.pop()?.reuse() ?? new LendableBuffer()
    return this.#own.bytes
  }

  /** Lends what was just read into, until what is returned is called; undefined when it is not this socket's own. */
  lend(): (() => void) | undefined {
    return this.#own?.lend()
  }

  /** Nothing more is read, or nothing much. */
  release(): void {
    this.#bulkReadsLeft = 0
    this.#own = this.#own?.release()
  }
}
