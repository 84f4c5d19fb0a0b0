// Streams parts of open files to the client.

import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { FileTruncatedError } from '../errors.ts'
import { ResponsePipe } from '../response/response-pipe.ts'
import type { OpenedFile } from './opened-file.ts'

/** A range of bytes of an open file. */
export interface FilePart {
  readonly file: OpenedFile
  /** Offset of the first byte. */
  readonly start: number
  /** Bytes. */
  readonly length: number
}

/** Bytes read at a time: large enough to need few reads, small enough for many clients at once. */
const CHUNK = 131_072
/** Maximum number of unused buffers of that size that are kept, for all clients. */
const MAX_SPARE_BUFFERS = 32
/** A read that takes less than this has found its bytes in memory. Milliseconds. */
const QUICK_READ = 0.5
/** Chunks in memory that are sent before others get a turn. */
const CHUNKS_IN_TURN = 8

/** Memory of chunks that have been written. Allocating it for each chunk was measured to cost more than reading and writing it. */
const spares: ArrayBufferLike[] = []

/**
 * Parts of open files, and buffers between them, as one stream. It closes the files however it ends. If a file has become
 * shorter, the stream is destroyed with an error, because Content-Length has already been sent.
 *
 * While it is piped directly to a response of node:http (see {@link ResponsePipe}), it writes to the response itself, from
 * buffers that all bodies share. A buffer is reused only after its write has completed; earlier, a client would get overwritten
 * bytes.
 *
 * Chunks are read in the thread pool, the next one while one is being written. As long as the file is found in memory, they are
 * read at once instead: that takes less time than the way to the pool and back, and needs one buffer instead of two.
 */
export class FileBody extends Readable {
  readonly #parts: ReadonlyArray<FilePart | Buffer>
  readonly #files: ReadonlySet<OpenedFile>
  #partIndex = 0
  /** Bytes of the current part that have been read. */
  #partOffset = 0
  #pipe: ResponsePipe | undefined
  #isRunning = false
  /** Whether the next chunk is taken to be in memory. */
  #isQuick: boolean
  /** Resolves when the chunk that is being written to the response has been written, or its write has failed. */
  #chunkWritten: Promise<void> | undefined

  /** @param files to close at the end, including those without a part. */
  constructor(parts: ReadonlyArray<FilePart | Buffer>, files: Iterable<OpenedFile>) {
    super({ highWaterMark: CHUNK })
    this.#parts = parts
    this.#files = new Set(files)
    this.#isQuick = [...this.#files].every(({ isWarm }) => isWarm)
    // Without a listener, an error of a body that is never read would end the process.
    this.on('error', () => {})
  }

  override pipe<T extends NodeJS.WritableStream>(to: T, options?: { end?: boolean }): T {
    this.#pipe ??= ResponsePipe.between(this, to)
    const piped = super.pipe(to, options)
    // A chunk that is written now leaves in one write with the head.
    if (this.#pipe?.isDirect === true) this._read()
    return piped
  }

  override _read(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    this.#writeDirect().then(
      (chunk) => {
        this.#isRunning = false
        this.push(chunk)
      },
      (error) => this.destroy(error),
    )
  }

  /**
   * Writes chunks while the pipe is direct. Returns the first chunk that has to go through the stream queue, null at the
   * end.
   */
  async #writeDirect(): Promise<Buffer | null> {
    for (let count = 1; ; count++) {
      if (this.#isQuick) {
        // There is nothing to gain by reading ahead, and a client that reads slowly needs one buffer less.
        await this.#chunkWritten
        if (count % CHUNKS_IN_TURN === 0) await setImmediate()
      }
      const next = this.#nextChunk()
      const chunk = next instanceof Promise ? await next : next
      const pipe = this.#pipe
      if (chunk === null) return null
      if (this.#chunkWritten !== undefined) await this.#chunkWritten
      if (pipe?.isDirect !== true) return chunk
      this.#write(pipe.response, chunk)
    }
  }

  #write(response: ServerResponse, chunk: Buffer): void {
    this.#chunkWritten = new Promise((resolve) => {
      // Also called when the write has failed.
      response.write(chunk, () => {
        if (!this.#parts.includes(chunk) && spares.length < MAX_SPARE_BUFFERS)
          spares.push(chunk.buffer)
        this.#chunkWritten = undefined
        resolve()
      })
    })
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    closeAll(this.#files).then(
      () => callback(error),
      (failure) => callback(error ?? failure),
    )
  }

  #nextChunk(): Buffer | null | Promise<Buffer> {
    for (;;) {
      const part = this.#parts[this.#partIndex]
      if (part === undefined || this.destroyed) return null
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

  #readPart(part: FilePart): Buffer | Promise<Buffer> {
    const { file, start, length } = part
    const wanted = Math.min(CHUNK, length - this.#partOffset)
    const into = Buffer.from(spares.pop() ?? Buffer.allocUnsafeSlow(CHUNK).buffer, 0, wanted)
    const offset = start + this.#partOffset
    const begun = performance.now()
    const isQuick = this.#isQuick
    // Until its duration is known.
    this.#isQuick = false
    if (isQuick) return this.#chunkRead(part, into, file.readNow(into, offset), begun)
    return file.read(into, offset).then((bytes) => this.#chunkRead(part, into, bytes, begun))
  }

  #chunkRead(
    { file, start, length }: FilePart,
    into: Buffer,
    bytes: number,
    begun: number,
  ): Buffer {
    if (bytes === 0)
      throw new FileTruncatedError(
        `${file.path} ended at byte ${start + this.#partOffset} while it was sent, ${length - this.#partOffset} bytes short`,
      )
    this.#isQuick = file.isLocal && performance.now() - begun < QUICK_READ
    this.#partOffset += bytes
    return bytes === into.length ? into : into.subarray(0, bytes)
  }
}

/** Closes all files, even if closing one of them fails. */
export async function closeAll(files: Iterable<OpenedFile>): Promise<void> {
  await Promise.all([...files].map((file) => file.close()))
}
