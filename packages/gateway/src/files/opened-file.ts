// An open file, read on the main thread or in the thread pool.

import { type BigIntStats, close, closeSync, read, readSync } from 'node:fs'

/** How quickly a file is read. */
export interface FileSpeed {
  /** Whether it is on a disk of this machine, so that what is in memory is read without waiting. */
  readonly isLocal: boolean
  /** Whether it is, and has been opened a moment ago, so that it is likely to be in memory. */
  readonly isWarm: boolean
}

/** Above this size, removing a file that was open until now may take long, so that it is closed in the thread pool. Bytes. */
const QUICK_TO_CLOSE = 1_048_576

/** An open regular file that may be sent. Whoever has it closes it; closing it again does nothing. */
export class OpenedFile implements FileSpeed {
  /** Path as requested, not the real path; latin1. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Modification time in nanoseconds since 1970. */
  readonly modifiedNs: bigint
  readonly isLocal: boolean
  readonly isWarm: boolean
  readonly #fd: number
  #isClosed = false
  /** Reads in the thread pool. The descriptor must stay this file's until they end. */
  #reads = 0
  #onRead: (() => void) | undefined

  constructor(fd: number, path: string, stats: BigIntStats, { isLocal, isWarm }: FileSpeed) {
    this.#fd = fd
    this.path = path
    this.size = Number(stats.size)
    this.modifiedNs = stats.mtimeNs
    this.isLocal = isLocal
    this.isWarm = isWarm
  }

  /**
   * Fills a buffer from an offset of the file on; returns how many bytes there were, 0 at the end of the file, and of one that has
   * been closed.
   * @throws Error of node:fs
   */
  readNow(into: Buffer, position: number): number {
    if (this.#isClosed) return 0
    return readSync(this.#fd, into, 0, into.length, position)
  }

  /** The same in the thread pool. */
  read(into: Buffer, position: number): Promise<number> {
    if (this.#isClosed) return Promise.resolve(0)
    this.#reads++
    return new Promise((resolve, reject) => {
      read(this.#fd, into, 0, into.length, position, (error, length) => {
        this.#reads--
        this.#onRead?.()
        if (error === null) resolve(length)
        else reject(error)
      })
    })
  }

  /** Closes the file; returns undefined if it is closed by then. A failure loses nothing, for the file was only read. */
  close(): Promise<void> | undefined {
    if (this.#isClosed) return undefined
    this.#isClosed = true
    if (this.isWarm && this.#reads === 0 && this.size <= QUICK_TO_CLOSE) {
      closeSync(this.#fd)
      return undefined
    }
    return new Promise((resolve) => {
      const finish = (): void => {
        if (this.#reads === 0) close(this.#fd, () => resolve())
      }
      this.#onRead = finish
      finish()
    })
  }
}
