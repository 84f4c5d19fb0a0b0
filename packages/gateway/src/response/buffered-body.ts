import { ResponseBody } from '@fastcgi/client'
import { TemporaryFile } from '../request/temporary-file.ts'

/** Whether responses are buffered, and how far. */
export type BufferingOption =
  | boolean
  | {
      /** Bytes of one response kept in memory. @default 65536 */
      memory?: number | undefined
      /** Bytes of one response kept in a temporary file in `spoolDirectory`; 0 for none. @default 1 GiB */
      file?: number | undefined
    }

/** How much of a response is taken from the application before its client has taken it. */
export interface BufferLimits {
  /** Bytes in memory. */
  memory: number
  /** Bytes in a temporary file; 0 for none. */
  file: number
  /** Directory of that file. */
  directory: string
}

/** Which responses are buffered. */
export interface BufferingRules {
  readonly limits: BufferLimits
  /** Whether those are that say nothing of it themselves. */
  readonly on: boolean
}

const MEMORY = 65_536
const FILE = 1_073_741_824

/** What an option `buffering` means. */
export function bufferingRules(
  option: BufferingOption | undefined,
  directory: string,
): BufferingRules {
  const { memory = MEMORY, file = FILE } = typeof option === 'object' ? option : {}
  return { limits: { memory, file, directory }, on: option !== undefined && option !== false }
}

const READ_SIZE = 65_536
const WRITE_AHEAD = 131_072

/**
 * A response body that lets the application go on while its client is slow: what the client does not take yet is kept in
 * memory, and beyond that in a file without a name. What the client does take never sees the disk. When both are full, or
 * the disk is, backpressure reaches the application as without a buffer.
 *
 * Bytes are, in this order, in `#readQueue`, in the file, in `#writeQueue`, which waits to be written.
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
  /** Of the disk, one thing at a time is asked. */
  #diskOperation: Promise<void> | undefined
  #diskFailed = false
  #readerWaiting = false
  #paused = false
  #complete = false
  #ended = false

  /** @param onDiskFailure told, once, when the temporary file cannot be used. */
  constructor(limits: BufferLimits, onDiskFailure: (error: Error) => void) {
    super()
    this.#limits = limits
    this.#onDiskFailure = onDiskFailure
    this.#diskFailed = limits.file === 0
  }

  override accept(chunk: Buffer): boolean {
    this.#bytesInMemory += chunk.length
    const behind =
      this.#writeQueue.length > 0 || this.#bytesOnDisk > 0 || this.#diskOperation !== undefined
    const spills = this.#bytesInMemory > this.#limits.memory && !this.#diskFailed
    if (behind || spills) this.#writeQueue.push(chunk)
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
    // What is on its way to the disk is in memory as well.
    return (
      this.#bytesInMemory > memory + WRITE_AHEAD ||
      this.#writeOffset + lengthOf(this.#writeQueue) > file
    )
  }

  /** Moves on whatever can move: to the client, to the disk, from the disk. */
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
    // What waits for the disk need not go there when it is its turn.
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
    // From its start again: the file is never longer than what is in it.
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
      // It stays where it is, and goes from there to the client.
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
