import type { Readable } from 'node:stream'
import { RequestBodyError } from '@fastcgi/client'
import { TemporaryFile } from './temporary-file.ts'

/** Limits of a {@link Spool}. */
export interface SpoolLimits {
  /** Bytes kept in memory. */
  memory: number
  /** Maximum bytes in total. */
  max: number
  /** Directory of the temporary file. */
  directory: string
}

/** Stores a request body of unknown length: in memory up to a limit, above that in an unlinked temporary file. */
export class Spool {
  /** Bytes stored. */
  length = 0
  readonly #limits: SpoolLimits
  #chunks: Buffer[] = []
  #file: TemporaryFile | undefined
  #written = 0
  #spilling: Promise<void> | undefined

  constructor(limits: SpoolLimits) {
    this.#limits = limits
  }

  /**
   * Stores a chunk. Returns a promise if the caller must wait for the disk. @throws RequestBodyError FCGI_BODY_TOO_LARGE
   */
  write(chunk: Buffer): Promise<void> | undefined {
    this.length += chunk.length
    if (this.length > this.#limits.max)
      throw new RequestBodyError(
        'FCGI_BODY_TOO_LARGE',
        `request body is over ${this.#limits.max} bytes (option maxBodySize)`,
      )
    this.#chunks.push(chunk)
    if (this.#file === undefined && this.length <= this.#limits.memory) return undefined
    const spilling = this.#spill()
    this.#spilling = spilling.catch(() => {})
    return spilling
  }

  /** The stored bytes: a Buffer if they fit in memory, else a stream that closes the file at its end. */
  finish(): Buffer | Readable {
    if (this.#file === undefined) return Buffer.concat(this.#chunks, this.length)
    return this.#file.stream()
  }

  /** Discards the stored bytes and closes the file. */
  async discard(): Promise<void> {
    this.#chunks = []
    // The file may just be opened, for a client that goes away meanwhile: it is closed whenever that is.
    await this.#spilling
    await this.#file?.close()
  }

  async #spill(): Promise<void> {
    this.#file ??= await TemporaryFile.open(this.#limits.directory)
    for (const chunk of this.#chunks.splice(0)) {
      await this.#file.write(chunk, this.#written)
      this.#written += chunk.length
    }
  }
}
