import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { FileTruncatedError } from '../errors.ts'
import { ResponsePipe } from '../response/response-pipe.ts'

/** Bytes of an open file. */
export interface FilePart {
  readonly handle: FileHandle
  /** For messages. */
  readonly path: string
  /** Offset of the first byte. */
  readonly start: number
  readonly length: number
}

/** What is read at a time: large enough that the disk is asked seldom, small enough for many clients at once. */
const CHUNK = 131_072

/**
 * Parts of open files, and bytes between them, as one stream. Closes the files, however it ends. A file that has become
 * shorter breaks the stream off: its length has been announced.
 *
 * While its pipe is bare, it writes to the client itself, and reads into the same two buffers again and again: to take fresh
 * memory for each chunk costs more than to read and to write it.
 */
export class FileBody extends Readable {
  readonly #parts: ReadonlyArray<FilePart | Buffer>
  readonly #handles: ReadonlySet<FileHandle>
  #at = 0
  /** How much of the part has been read. */
  #done = 0
  #pipe: ResponsePipe | undefined
  /** Buffers that nobody reads any more. */
  readonly #spare: Buffer[] = []
  /** A chunk is on its way to the client. */
  #writing = false
  #onWritten: (() => void) | undefined

  /** @param handles are closed at the end, those that no part is of as well. */
  constructor(parts: ReadonlyArray<FilePart | Buffer>, handles: Iterable<FileHandle>) {
    super({ highWaterMark: CHUNK })
    this.#parts = parts
    this.#handles = new Set(handles)
    // Whoever reads learns of a failure; one who never looks at the body is not to lose the process for it.
    this.on('error', () => {})
  }

  override pipe<T extends NodeJS.WritableStream>(to: T, options?: { end?: boolean }): T {
    this.#pipe ??= ResponsePipe.between(this, to)
    return super.pipe(to, options)
  }

  override _read(): void {
    this.#writeItself().then(
      (chunk) => this.push(chunk),
      (error) => this.destroy(error),
    )
  }

  /** Writes chunks as long as the pipe is bare; returns the one that has to go through the stream, null for the end. */
  async #writeItself(): Promise<Buffer | null> {
    for (;;) {
      // Read while the one before is on its way.
      const chunk = await this.#next()
      const pipe = this.#pipe
      if (this.#writing)
        await new Promise<void>((resolve) => {
          this.#onWritten = resolve
        })
      if (chunk === null || pipe?.isDirect !== true) return chunk
      this.#writing = true
      pipe.response.write(chunk, () => this.#written(chunk))
    }
  }

  /** The system has a chunk, or never will. */
  #written(chunk: Buffer): void {
    if (chunk.length === CHUNK && !this.#parts.includes(chunk)) this.#spare.push(chunk)
    this.#writing = false
    this.#onWritten?.()
    this.#onWritten = undefined
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    closeAll(this.#handles).then(
      () => callback(error),
      (failure) => callback(error ?? failure),
    )
  }

  async #next(): Promise<Buffer | null> {
    for (;;) {
      const part = this.#parts[this.#at]
      if (part === undefined) return null
      if (this.#done < part.length)
        return Buffer.isBuffer(part) ? this.#all(part) : this.#some(part)
      this.#at++
      this.#done = 0
    }
  }

  #all(part: Buffer): Buffer {
    this.#done = part.length
    return part
  }

  async #some({ handle, path, start, length }: FilePart): Promise<Buffer> {
    const wanted = Math.min(CHUNK, length - this.#done)
    const spare = wanted === CHUNK ? this.#spare.pop() : undefined
    const chunk = spare ?? Buffer.allocUnsafeSlow(wanted)
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, start + this.#done)
    if (bytesRead === 0)
      throw new FileTruncatedError(
        `${path} ended at byte ${start + this.#done} while it was sent, ${length - this.#done} bytes short`,
      )
    this.#done += bytesRead
    return bytesRead === chunk.length ? chunk : chunk.subarray(0, bytesRead)
  }
}

/** Closes files; all of them, whatever becomes of one. */
export async function closeAll(handles: Iterable<FileHandle>): Promise<void> {
  await Promise.all([...handles].map((handle) => handle.close()))
}
