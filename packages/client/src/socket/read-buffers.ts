// The buffers that sockets read into: one shared buffer for small reads, lendable buffers for large ones.

/** Size of a read buffer in bytes: the most that libuv reads at once. */
const READ_SIZE = 65_536
/** Maximum number of unused lendable buffers that are kept. */
const MAX_SPARE_BUFFERS = 32
/** Minimum size of a read in bytes that counts as a large read. */
const BULK_READ_SIZE = READ_SIZE / 4
/** Number of consecutive small reads after which a socket returns to the shared buffer. */
const MAX_SMALL_READS = 8

/** A buffer that only one socket reads into, and that can be lent to the handler of a response. */
class LendableBuffer {
  readonly bytes = Buffer.allocUnsafeSlow(READ_SIZE)
  #loans = 0
  #inUse = true

  get lent(): boolean {
    return this.#loans > 0
  }

  /** Lends the buffer; the returned function gives it back. Further calls of that function have no effect. */
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

  /** Marks it as not used by a socket. */
  release(): undefined {
    this.#inUse = false
    this.#putBack()
  }

  /** Marks it as used by a socket. */
  reuse(): this {
    this.#inUse = true
    return this
  }

  #putBack(): void {
    if (!this.#inUse && !this.lent && spares.length < MAX_SPARE_BUFFERS) spares.push(this)
  }
}

// A buffer that is never given back is not in this list and is garbage-collected like any other.
const spares: LendableBuffer[] = []

// One buffer for all sockets: libuv reads one socket at a time and calls back before it reads the next.
const shared = Buffer.allocUnsafeSlow(READ_SIZE)

/**
 * Chooses the buffer for the next read of one socket.
 *
 * Small reads use the buffer that all sockets share, so an idle connection needs no memory; their content is copied
 * when it is passed on. After a large read the socket uses lendable buffers of its own, so that a large response body
 * is passed on without a copy and without new allocations.
 *
 * Invariant: a lent buffer is never read into. While it is lent, the socket takes another one; it becomes available
 * again when the socket has released it and all loans have been returned. Otherwise a read would overwrite data that
 * has not been written to the HTTP client yet.
 */
export class ReadBuffers {
  #own: LendableBuffer | undefined
  /** How many further reads use a buffer of its own. */
  #bulkReadsLeft = 0

  /** Sets how many bytes the last read returned. */
  set filled(length: number) {
    if (length >= BULK_READ_SIZE) this.#bulkReadsLeft = MAX_SMALL_READS
    else if (this.#bulkReadsLeft > 0) this.#bulkReadsLeft--
  }

  /** Returns the buffer for the next read. */
  next(): Buffer {
    if (this.#bulkReadsLeft === 0) {
      this.release()
      return shared
    }
    if (this.#own?.lent) this.#own = this.#own.release()
    this.#own ??= spares.pop()?.reuse() ?? new LendableBuffer()
    return this.#own.bytes
  }

  /** Lends the buffer of the last read until the returned function is called; undefined when it is the shared one. */
  lend(): (() => void) | undefined {
    return this.#own?.lend()
  }

  /** Gives the socket's own buffer back and returns to the shared one. */
  release(): void {
    this.#bulkReadsLeft = 0
    this.#own = this.#own?.release()
  }
}
