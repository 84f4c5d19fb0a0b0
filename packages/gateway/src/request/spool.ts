import type { Readable } from 'node:stream'
import { RequestBodyError } from '@fastcgi/client'
import { TemporaryFile } from './temporary-file.ts'

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
  #file: TemporaryFile | undefined
  #written = 0

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
    return this.#file.stream()
  }

  /** Drops everything. */
  async discard(): Promise<void> {
    this.#chunks = []
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
