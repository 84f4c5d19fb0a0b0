// A response on its way from the thread in which PHP runs to the one that speaks FastCGI: a ring buffer in shared memory.
// Messages would cost too much for scripts that print little by little, and PHP's thread takes none while a script runs.

/** Bytes that fit in; then PHP waits. */
const SIZE = 131_072
/** Bytes that are worth to be sent at once; as in php-cgi. */
const BATCH = 8192
/** Milliseconds that fewer bytes wait for more. */
const DELAY = 25

/** `Atomics.waitAsync`, which the types of ES2023 lack. */
type WaitAsync = (
  array: Int32Array,
  index: number,
  value: number,
) => { async: false } | { async: true; value: Promise<string> }
const waitAsync: WaitAsync = Reflect.get(Atomics, 'waitAsync')

/** Indexes of the numbers in front of the bytes. */
const [WRITTEN, READ, SIGNAL, CLOSED, ABORTED, NUMBERS] = [0, 1, 2, 3, 4, 5]

/** A part of a response. */
export interface OutputChunk {
  readonly bytes: Buffer
  /** Whether the response ends with it. The last one of an empty response does not exist. */
  readonly last: boolean
}

/** Carries one response at a time. One thread writes and closes it, the other one reads and aborts it. */
export class OutputRing {
  readonly buffer: SharedArrayBuffer
  readonly #numbers: Int32Array
  readonly #bytes: Uint8Array

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(NUMBERS * 4 + SIZE)) {
    this.buffer = buffer
    this.#numbers = new Int32Array(buffer, 0, NUMBERS)
    this.#bytes = new Uint8Array(buffer, NUMBERS * 4)
  }

  /** Before a response, when neither thread uses it. */
  reset(): void {
    for (let index = 0; index < NUMBERS; index++) Atomics.store(this.#numbers, index, 0)
  }

  // ---- the thread that writes

  /** Whether nobody wants the response any more. */
  get aborted(): boolean {
    return Atomics.load(this.#numbers, ABORTED) === 1
  }

  /** Writes the bytes; waits where there is no room, and drops the rest if the response is aborted. */
  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.aborted; ) {
      const read = Atomics.load(this.#numbers, READ)
      const room = SIZE - this.#available
      if (room === 0) Atomics.wait(this.#numbers, READ, read, 1000)
      else {
        this.#put(bytes.subarray(at, at + room))
        at += room
      }
    }
  }

  /** The response is complete, or PHP has crashed. */
  close(): void {
    Atomics.store(this.#numbers, CLOSED, 1)
    this.#signal()
  }

  // ---- the thread that reads

  abort(): void {
    Atomics.store(this.#numbers, ABORTED, 1)
    Atomics.notify(this.#numbers, READ)
    this.#signal()
  }

  /** The response in chunks, until it is complete or aborted. The room of a chunk is free when the next one is asked for. */
  async *chunks(): AsyncGenerator<OutputChunk, void, undefined> {
    while (await this.#waitForBatch()) {
      // Before its bytes are taken: nothing is written after that.
      const last = Atomics.load(this.#numbers, CLOSED) === 1
      const bytes = this.#take()
      yield { bytes, last }
      Atomics.add(this.#numbers, READ, bytes.length)
      Atomics.notify(this.#numbers, READ)
    }
  }

  // ---- both

  /** Both numbers wrap around; their difference does not. */
  get #available(): number {
    return (Atomics.load(this.#numbers, WRITTEN) - Atomics.load(this.#numbers, READ)) | 0
  }

  #put(bytes: Uint8Array): void {
    const at = (Atomics.load(this.#numbers, WRITTEN) >>> 0) % SIZE
    const first = Math.min(bytes.length, SIZE - at)
    this.#bytes.set(bytes.subarray(0, first), at)
    this.#bytes.set(bytes.subarray(first), 0)
    Atomics.add(this.#numbers, WRITTEN, bytes.length)
    // Read after the write: the reader either has seen these bytes, or they are all there is, and it may be waiting.
    const available = this.#available
    const isFirst = available <= bytes.length
    if (isFirst || (available >= BATCH && available - bytes.length < BATCH)) this.#signal()
  }

  #take(): Buffer {
    const at = (Atomics.load(this.#numbers, READ) >>> 0) % SIZE
    const length = this.#available
    const first = this.#bytes.subarray(at, Math.min(at + length, SIZE))
    const second = this.#bytes.subarray(0, length - first.length)
    return Buffer.concat([first, second])
  }

  /** Waits for a batch, or for less and a moment; false at the end. */
  async #waitForBatch(): Promise<boolean> {
    let deadline: Promise<'late'> | undefined
    for (let late = false; !late; ) {
      const seen = Atomics.load(this.#numbers, SIGNAL)
      const ended = Atomics.load(this.#numbers, CLOSED) === 1
      if (this.aborted) return false
      if (ended || this.#available >= BATCH) break
      const signal = waitAsync(this.#numbers, SIGNAL, seen)
      if (!signal.async) continue
      if (this.#available > 0) deadline ??= delay(DELAY)
      if (deadline === undefined) await signal.value
      else late = (await Promise.race([signal.value, deadline])) === 'late'
    }
    return this.#available > 0
  }

  #signal(): void {
    Atomics.add(this.#numbers, SIGNAL, 1)
    Atomics.notify(this.#numbers, SIGNAL)
  }
}

function delay(milliseconds: number): Promise<'late'> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds, 'late'))
}
