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
const IN_FLIGHT = 131_072

/**
 * A response body that lets the application go on while its client is slow: what the client does not take yet is kept in
 * memory, and beyond that in a file without a name. What the client does take never sees the disk. When both are full, or
 * the disk is, backpressure reaches the application as without a buffer.
 *
 * Bytes are, in this order, in `#first`, in the file, in `#last`, which waits to be written.
 */
export class BufferedBody extends ResponseBody {
  readonly #limits: BufferLimits
  readonly #onDiskFailure: (error: Error) => void
  #first: Buffer[] = []
  #last: Buffer[] = []
  #inMemory = 0
  #file: TemporaryFile | undefined
  #written = 0
  #read = 0
  /** Of the disk, one thing at a time is asked. */
  #busy: Promise<void> | undefined
  #diskFailed = false
  #wanted = false
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
    this.#inMemory += chunk.length
    const behind = this.#last.length > 0 || this.#onDisk > 0 || this.#busy !== undefined
    const spills = this.#inMemory > this.#limits.memory && !this.#diskFailed
    if (behind || spills) this.#last.push(chunk)
    else this.#first.push(chunk)
    this.#work()
    this.#paused = this.#isFull()
    return !this.#paused
  }

  override _read(): void {
    this.#wanted = true
    this.#work()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#first = []
    this.#last = []
    const close = async (): Promise<void> => {
      await this.#busy
      await this.#file?.close()
    }
    close().then(
      () => super._destroy(error, callback),
      () => super._destroy(error, callback),
    )
  }

  protected override conclude(): void {
    this.#complete = true
    this.#work()
  }

  get #onDisk(): number {
    return this.#written - this.#read
  }

  #isFull(): boolean {
    const { memory, file } = this.#limits
    if (this.#diskFailed) return this.#inMemory > memory
    // What is on its way to the disk is in memory as well.
    return this.#inMemory > memory + IN_FLIGHT || this.#written + lengthOf(this.#last) > file
  }

  /** Moves on whatever can move: to the client, to the disk, from the disk. */
  #work(): void {
    if (this.destroyed) return
    this.#deliver()
    if (this.#busy === undefined) this.#useDisk()
    if (this.#complete && this.#isEmpty()) this.#end()
    else if (this.#paused && !this.#isFull()) {
      this.#paused = false
      this.goOn()
    }
  }

  #deliver(): void {
    while (this.#wanted) {
      const chunk = this.#next()
      if (chunk === undefined) return
      this.#inMemory -= chunk.length
      this.#wanted = this.push(chunk)
    }
  }

  #next(): Buffer | undefined {
    if (this.#first.length > 0) return this.#first.shift()
    // What waits for the disk need not go there when it is its turn.
    return this.#onDisk === 0 && this.#busy === undefined ? this.#last.shift() : undefined
  }

  #isEmpty(): boolean {
    const idle = this.#busy === undefined && this.#onDisk === 0
    return idle && this.#first.length === 0 && this.#last.length === 0
  }

  #useDisk(): void {
    const loads = this.#onDisk > 0 && this.#first.length === 0 && this.#wanted
    const hasRoom = !this.#diskFailed && this.#written < this.#limits.file
    if (!loads && !(hasRoom && this.#last.length > 0)) return
    this.#busy = (loads ? this.#load() : this.#store()).then(
      () => this.#rest(),
      (error) => {
        this.#rest()
        this.destroy(error)
      },
    )
  }

  #rest(): void {
    this.#busy = undefined
    this.#work()
  }

  async #load(): Promise<void> {
    const length = Math.min(READ_SIZE, this.#onDisk)
    const chunk = await this.#file?.read(this.#read, length)
    if (chunk === undefined) return
    this.#read += length
    // From its start again: the file is never longer than what is in it.
    if (this.#onDisk === 0) this.#read = this.#written = 0
    this.#inMemory += length
    this.#first.push(chunk)
  }

  async #store(): Promise<void> {
    const [chunk] = this.#last
    if (chunk === undefined) return
    try {
      this.#file ??= await TemporaryFile.open(this.#limits.directory)
      await this.#file.write(chunk, this.#written)
    } catch (error) {
      // It stays where it is, and goes from there to the client.
      this.#diskFailed = true
      this.#onDiskFailure(error as Error)
      return
    }
    this.#last.shift()
    this.#written += chunk.length
    this.#inMemory -= chunk.length
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
