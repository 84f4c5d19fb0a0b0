/** Bytes of one buffer: as many as libuv reads at once. */
const READ_SIZE = 65_536
/** Buffers that are kept for the next one who needs them. */
const MOST_SPARE = 32
/** Bytes of a read that make it bulk. */
const BULK = READ_SIZE / 4
/** Reads that are no bulk, one after the other, that end it. */
const MOST_SMALL = 8

/** A buffer that one socket reads into, and that can be lent to whoever passes on what was read. */
class OwnBuffer {
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
      this.#spare()
    }
  }

  /** Nothing is read into it any more. */
  leave(): undefined {
    this.#inUse = false
    this.#spare()
  }

  take(): this {
    this.#inUse = true
    return this
  }

  #spare(): void {
    if (!this.#inUse && !this.lent && spares.length < MOST_SPARE) spares.push(this)
  }
}

// Whatever is never given back is collected as garbage, like any other buffer.
const spares: OwnBuffer[] = []

// One buffer for all sockets: libuv reads into it and reports at once, one socket after the other.
const shared = Buffer.allocUnsafeSlow(READ_SIZE)

/**
 * What a socket reads into: the buffer of all sockets, as long as little comes, for then idle connections cost nothing.
 * What comes in bulk is read into buffers of its own, and these can be lent: a body then goes on without being copied,
 * and no new memory is taken for it.
 */
export class ReadBuffers {
  #own: OwnBuffer | undefined
  /** How many reads still count as bulk. */
  #bulk = 0

  /** So many bytes have been read into the last one. */
  set filled(length: number) {
    if (length >= BULK) this.#bulk = MOST_SMALL
    else if (this.#bulk > 0) this.#bulk--
  }

  /** What to read into next. */
  next(): Buffer {
    if (this.#bulk === 0) {
      this.leave()
      return shared
    }
    if (this.#own?.lent) this.#own = this.#own.leave()
    this.#own ??= spares.pop()?.take() ?? new OwnBuffer()
    return this.#own.bytes
  }

  /** Lends what was just read into, until what is returned is called; undefined when it is not this socket's own. */
  lend(): (() => void) | undefined {
    return this.#own?.lend()
  }

  /** Nothing more is read, or nothing much. */
  leave(): void {
    this.#bulk = 0
    this.#own = this.#own?.leave()
  }
}
