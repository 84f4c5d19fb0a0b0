// Streams parts of open files to the client.

import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { FileTruncatedError } from '../errors.ts'
import { ResponsePipe } from '../response/response-pipe.ts'

/** A range of bytes of an open file. */
export interface FilePart {
  readonly handle: FileHandle
  /** Path of the file, for messages. */
  readonly path: string
  /** Offset of the first byte. */
  readonly start: number
  /** Bytes. */
  readonly length: number
}

/** Bytes read at a time: large enough to need few reads, small enough for many clients at once. */
const CHUNK = 131_072

/**
 * Parts of open files, and buffers between them, as one stream. It closes the files however it ends. If a file has become
 * shorter, the stream is destroyed with an error, because Content-Length has already been sent.
 *
 * While it is piped directly to a response of node:http (see {@link ResponsePipe}), it writes to the response itself and
 * reads into the same two buffers again and again: one is being written while the next chunk is read into the other. A
 * buffer is reused only after its write has completed; earlier, the client would get overwritten bytes. Allocating memory
 * for each chunk was measured to cost more than reading and writing it.
 */
export class FileBody extends Readable {
  readonly #parts: ReadonlyArray<FilePart | Buffer>
  readonly #handles: ReadonlySet<FileHandle>
  #partIndex = 0
  /** Bytes of the current part that have been read. */
  #partOffset = 0
  #pipe: ResponsePipe | undefined
  /** Buffers whose write has completed. */
  readonly #freeBuffers: Buffer[] = []
  /** Whether a chunk is being written to the response. */
  #writing = false
  #resumeWriting: (() => void) | undefined

  /** @param handles files to close at the end, including those without a part. */
  constructor(parts: ReadonlyArray<FilePart | Buffer>, handles: Iterable<FileHandle>) {
    super({ highWaterMark: CHUNK })
    this.#parts = parts
    this.#handles = new Set(handles)
    // Without a listener, an error of a body that is never read would end the process.
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

  /**
   * Writes chunks while the pipe is direct. Returns the first chunk that has to go through the stream queue, null at the
   * end.
   */
  async #writeDirect(): Promise<Buffer | null> {
    for (;;) {
      // Reads the next chunk while the one before it is being written.
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

  /** Called when a chunk has been written or its write has failed. */
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

/** Closes all files, even if closing one of them fails. */
export async function closeAll(handles: Iterable<FileHandle>): Promise<void> {
  await Promise.all([...handles].map((handle) => handle.close()))
}
