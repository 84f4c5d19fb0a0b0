import { randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

/** A temporary file that vanishes with its handle, whatever happens to this process. */
export class TemporaryFile {
  readonly #handle: FileHandle
  readonly #path: string | undefined

  private constructor(handle: FileHandle, path: string | undefined) {
    this.#handle = handle
    this.#path = path
  }

  static async open(directory: string): Promise<TemporaryFile> {
    const path = join(directory, `fastcgi-${randomUUID()}`)
    const handle = await open(path, 'wx+', 0o600)
    // Windows does not take the name of an open file away.
    if (process.platform === 'win32') return new TemporaryFile(handle, path)
    await unlink(path)
    return new TemporaryFile(handle, undefined)
  }

  /** Writes all of a chunk at a position. */
  async write(chunk: Buffer, position: number): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const { bytesWritten } = await this.#handle.write(chunk, at, undefined, position + at)
      at += bytesWritten
    }
  }

  /** Reads a part that has been written. */
  async read(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length)
    let at = 0
    while (at < length) {
      const { bytesRead } = await this.#handle.read(buffer, at, length - at, position + at)
      if (bytesRead === 0) throw new Error('a temporary file ends before what was written to it')
      at += bytesRead
    }
    return buffer
  }

  /** All of it as a stream that closes the file at its end. */
  stream(): Readable {
    const stream = this.#handle.createReadStream({ start: 0 })
    const path = this.#path
    if (path !== undefined) stream.once('close', () => void unlink(path).catch(() => {}))
    return stream
  }

  async close(): Promise<void> {
    await this.#handle.close()
    if (this.#path !== undefined) await unlink(this.#path)
  }
}
