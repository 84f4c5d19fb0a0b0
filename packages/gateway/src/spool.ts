import { randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { RequestBodyError } from '@fastcgi/client'

/** How much a {@link Spool} takes, and where it keeps it. */
export interface SpoolLimits {
  /** Bytes kept in memory. */
  memory: number
  /** Bytes in all. */
  most: number
  /** Directory of the temporary file. */
  directory: string
}

/** Takes in bytes of unknown number: up to a limit in memory, beyond that in a file without a name. */
export class Spool {
  /** Bytes taken in. */
  length = 0
  readonly #limits: SpoolLimits
  #chunks: Buffer[] = []
  #file: UnnamedFile | undefined

  constructor(limits: SpoolLimits) {
    this.#limits = limits
  }

  /** Takes a piece in; a promise where the disk has to be waited for. @throws RequestBodyError FCGI_BODY_TOO_LARGE */
  write(chunk: Buffer): Promise<void> | undefined {
    this.length += chunk.length
    if (this.length > this.#limits.most)
      throw new RequestBodyError(
        'FCGI_BODY_TOO_LARGE',
        `request body is over ${this.#limits.most} bytes (option maxBodySize)`,
      )
    this.#chunks.push(chunk)
    if (this.#file === undefined && this.length <= this.#limits.memory) return undefined
    return this.#spill()
  }

  /** All that was taken in: a Buffer where memory held it, else a stream that removes the file at its end. */
  finish(): Buffer | Readable {
    if (this.#file === undefined) return Buffer.concat(this.#chunks, this.length)
    return this.#file.read()
  }

  /** Drops everything. */
  async discard(): Promise<void> {
    this.#chunks = []
    await this.#file?.close()
  }

  async #spill(): Promise<void> {
    this.#file ??= await UnnamedFile.open(this.#limits.directory)
    for (const chunk of this.#chunks.splice(0)) await this.#file.write(chunk)
  }
}

/** A temporary file that vanishes with its handle, whatever happens to this process. */
class UnnamedFile {
  readonly #handle: FileHandle
  readonly #path: string | undefined

  private constructor(handle: FileHandle, path: string | undefined) {
    this.#handle = handle
    this.#path = path
  }

  static async open(directory: string): Promise<UnnamedFile> {
    const path = join(directory, `fastcgi-${randomUUID()}`)
    const handle = await open(path, 'wx+', 0o600)
    // Windows does not take the name of an open file away.
    if (process.platform === 'win32') return new UnnamedFile(handle, path)
    await unlink(path)
    return new UnnamedFile(handle, undefined)
  }

  async write(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const { bytesWritten } = await this.#handle.write(chunk, at)
      at += bytesWritten
    }
  }

  read(): Readable {
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
