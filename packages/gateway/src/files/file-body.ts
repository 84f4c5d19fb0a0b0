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
  #partIndex = 0
  /** How much of the part has been read. */
  #partOffset = 0
  #pipe: ResponsePipe | undefined
  /** Buffers that nobody reads any more. */
  readonly #freeBuffers: Buffer[] = []
  /** A chunk is on its way to the client. */
  #writing = false
  #resumeWriting: (() => void) | undefined

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
    this.#writeDirect().then(
      (chunk) => this.push(chunk),
      (error) => this.destroy(error),
    )
  }

  /** Writes chunks as long as the pipe is bare; returns the one that has to go through the stream, null for the end. */
  async #writeDirect(): Promise<Buffer | null> {
    for (;;) {
      // Read while the one before is on its way.
      const chunk = await this.#nextChunk()
      const pipe = this.#pipe
      if (this.#writing)
        await new Promise<void>((resolve) => {
          this.#resumeWriting = resolve
        })
      if (chunk === null || pipe?.isDirect !== true) return chunk
      this.#writing = true
      pipe.response.write(chunk, () => this.#onChunkWritten(chunk))
    }
  }

  /** The system has a chunk, or never will. */
  #onChunkWritten(chunk: Buffer): void {
    if (chunk.length === CHUNK && !this.#parts.includes(chunk)) this.#freeBuffers.push(chunk)
    this.#writing = false
    this.#resumeWriting?.()
    this.#resumeWriting = undefined
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    closeAll(this.#handles).then(
      () => callback(error),
      (failure) => callback(error ?? failure),
    )
  }

  async #nextChunk(): Promise<Buffer | null> {
    for (;;) {
      const part = this.#parts[this.#partIndex]
      if (part === undefined) return null
      if (this.#partOffset < part.length)
        return Buffer.isBuffer(part) ? this.#takeBuffer(part) : this.#readPart(part)
      this.#partIndex++
      this.#partOffset = 0
    }
  }

  #takeBuffer(part: Buffer): Buffer {
    this.#partOffset = part.length
    return part
  }

  async #readPart({ handle, path, start, length }: FilePart): Promise<Buffer> {
    const wanted = Math.min(CHUNK, length - this.#partOffset)
    const spare = wanted === CHUNK ? this.#freeBuffers.pop() : undefined
    const chunk = spare ?? Buffer.allocUnsafeSlow(wanted)
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, start + this.#partOffset)
    if (bytesRead === 0)
      throw new FileTruncatedError(
        `${path} ended at byte ${start + this.#partOffset} while it was sent, ${length - this.#partOffset} bytes short`,
      )
    this.#partOffset += bytesRead
    return bytesRead === chunk.length ? chunk : chunk.subarray(0, bytesRead)
  }
}

/** Closes files; all of them, whatever becomes of one. */
export async function closeAll(handles: Iterable<FileHandle>): Promise<void> {
  await Promise.all([...handles].map((handle) => handle.close()))
}
