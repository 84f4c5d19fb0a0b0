// Buffers a response in memory and on disk, so that a slow client does not slow the application down.

import { ResponseBody } from '@fastcgi/client'
import { TemporaryFile } from '../request/temporary-file.ts'

/** The option `buffering`: whether responses are buffered, and the limits. */
export type BufferingOption =
  | boolean
  | {
      /** Bytes of one response kept in memory. @default 65536 */
      memory?: number | undefined
      /** Bytes of one response kept in a temporary file in `spoolDirectory`; 0 for none. @default 1 GiB */
      file?: number | undefined
    }

/** Limits of what is buffered of one response. */
export interface BufferLimits {
  /** Bytes in memory. */
  memory: number
  /** Bytes in a temporary file; 0 for none. */
  file: number
  /** Directory of the file. */
  directory: string
}

/** Which responses are buffered. */
export interface BufferingRules {
  readonly limits: BufferLimits
  /** Whether responses without X-Accel-Buffering are buffered. */
  readonly on: boolean
}

const MEMORY = 65_536
const FILE = 1_073_741_824

/** The rules that an option `buffering` defines. @param directory of temporary files. */
export function bufferingRules(
  option: BufferingOption | undefined,
  directory: string,
): BufferingRules {
  const { memory = MEMORY, file = FILE } = typeof option === 'object' ? option : {}
  return { limits: { memory, file, directory }, on: option !== undefined && option !== false }
}

/** Bytes read from the file at a time. */
const READ_SIZE = 65_536
/** Bytes over the memory limit that may wait for the disk before backpressure sets in. */
const WRITE_AHEAD = 131_072

/**
 * A response body that is read from the application faster than the client takes it. The surplus is kept in memory, and above
 * the memory limit in an unlinked temporary file. Bytes that the client takes at once are never written to the disk. When the
 * limits are reached or the disk fails, backpressure slows the application down, as without a buffer.
 *
 * The bytes of the body are, in this order, in `#readQueue`, in the file from `#readOffset` to `#writeOffset`, and in
 * `#writeQueue`, which waits to be written to the file. A chunk may go to `#readQueue` only while the other two are empty;
 * otherwise it would overtake earlier bytes.
 */
export class BufferedBody extends ResponseBody {
  readonly #limits: BufferLimits
  readonly #onDiskFailure: (error: Error) => void
  #readQueue: Buffer[] = []
  #writeQueue: Buffer[] = []
  #bytesInMemory = 0
  #file: TemporaryFile | undefined
  #writeOffset = 0
  #readOffset = 0
  /** The disk operation in progress; there is only one at a time, which keeps reads and writes in order. */
  #diskOperation: Promise<void> | undefined
  #diskFailed = false
  #readerWaiting = false
  #paused = false
  #complete = false
  #ended = false

  /** @param onDiskFailure called once if the temporary file cannot be written. */
  constructor(limits: BufferLimits, onDiskFailure: (error: Error) => void) {
    super()
    this.#limits = limits
    this.#onDiskFailure = onDiskFailure
    this.#diskFailed = limits.file === 0
  }

  override accept(chunk: Buffer): boolean {
    this.#bytesInMemory += chunk.length
    const mustQueue =
      this.#writeQueue.length > 0 || this.#bytesOnDisk > 0 || this.#diskOperation !== undefined
    const spills = this.#bytesInMemory > this.#limits.memory && !this.#diskFailed
    if (mustQueue || spills) this.#writeQueue.push(chunk)
    else this.#readQueue.push(chunk)
    this.#advance()
    this.#paused = this.#isFull()
    return !this.#paused
  }

  override _read(): void {
    this.#readerWaiting = true
    this.#advance()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#readQueue = []
    this.#writeQueue = []
    const close = async (): Promise<void> => {
      await this.#diskOperation
      await this.#file?.close()
    }
    close().then(
      () => super._destroy(error, callback),
      () => super._destroy(error, callback),
    )
  }

  protected override conclude(): void {
    this.#complete = true
    this.#advance()
  }

  get #bytesOnDisk(): number {
    return this.#writeOffset - this.#readOffset
  }

  #isFull(): boolean {
    const { memory, file } = this.#limits
    if (this.#diskFailed) return this.#bytesInMemory > memory
    // The bytes that wait for the disk are in memory, too.
    return (
      this.#bytesInMemory > memory + WRITE_AHEAD ||
      this.#writeOffset + lengthOf(this.#writeQueue) > file
    )
  }

  /**
   * Passes chunks to the client, starts a disk operation if one is due, and lets the application go on if there is room.
   */
  #advance(): void {
    if (this.destroyed) return
    this.#pushToClient()
    if (this.#diskOperation === undefined) this.#startDiskOperation()
    if (this.#complete && this.#isEmpty()) this.#end()
    else if (this.#paused && !this.#isFull()) {
      this.#paused = false
      this.goOn()
    }
  }

  #pushToClient(): void {
    while (this.#readerWaiting) {
      const chunk = this.#nextChunk()
      if (chunk === undefined) return
      this.#bytesInMemory -= chunk.length
      this.#readerWaiting = this.push(chunk)
    }
  }

  #nextChunk(): Buffer | undefined {
    if (this.#readQueue.length > 0) return this.#readQueue.shift()
    // Chunks that wait for the disk are passed on directly once the file is empty.
    return this.#bytesOnDisk === 0 && this.#diskOperation === undefined
      ? this.#writeQueue.shift()
      : undefined
  }

  #isEmpty(): boolean {
    const idle = this.#diskOperation === undefined && this.#bytesOnDisk === 0
    return idle && this.#readQueue.length === 0 && this.#writeQueue.length === 0
  }

  #startDiskOperation(): void {
    const loads = this.#bytesOnDisk > 0 && this.#readQueue.length === 0 && this.#readerWaiting
    const hasRoom = !this.#diskFailed && this.#writeOffset < this.#limits.file
    if (!loads && !(hasRoom && this.#writeQueue.length > 0)) return
    this.#diskOperation = (loads ? this.#load() : this.#store()).then(
      () => this.#onDiskIdle(),
      (error) => {
        this.#onDiskIdle()
        this.destroy(error)
      },
    )
  }

  #onDiskIdle(): void {
    this.#diskOperation = undefined
    this.#advance()
  }

  async #load(): Promise<void> {
    const length = Math.min(READ_SIZE, this.#bytesOnDisk)
    const chunk = await this.#file?.read(this.#readOffset, length)
    if (chunk === undefined) return
    this.#readOffset += length
    // Start again at offset 0, so that the file does not grow beyond its unread bytes.
    if (this.#bytesOnDisk === 0) this.#readOffset = this.#writeOffset = 0
    this.#bytesInMemory += length
    this.#readQueue.push(chunk)
  }

  async #store(): Promise<void> {
    const [chunk] = this.#writeQueue
    if (chunk === undefined) return
    try {
      this.#file ??= await TemporaryFile.open(this.#limits.directory)
      await this.#file.write(chunk, this.#writeOffset)
    } catch (error) {
      // The chunk stays in the queue, from which it is passed to the client.
      this.#diskFailed = true
      this.#onDiskFailure(error as Error)
      return
    }
    this.#writeQueue.shift()
    this.#writeOffset += chunk.length
    this.#bytesInMemory -= chunk.length
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.push(null)
  }
}

function lengthOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0)
}
