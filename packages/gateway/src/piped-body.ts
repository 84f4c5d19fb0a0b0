import { ResponseBody } from '@fastcgi/client'
import { BarePipe } from './bare-pipe.ts'

/** Bytes that may wait for the client before the application has to wait as well: what one read brings, and as much again. */
const MOST_WAITING = 131_072

/**
 * A response body on its way. While its pipe is bare, it writes all that one read brought in one write, and from the very
 * memory that it was read into.
 */
export class PipedBody extends ResponseBody {
  #pipe: BarePipe | undefined
  #corked = false

  /** Whether pieces can be written at once, and so be borrowed. */
  override get borrows(): boolean {
    return this.#pipe?.isClear === true
  }

  override pipe<T extends NodeJS.WritableStream>(to: T, options?: { end?: boolean }): T {
    if (this.#pipe === undefined) {
      this.#pipe = BarePipe.between(this, to)
      this.#pipe?.response.on('drain', () => this.goOn())
    }
    return super.pipe(to, options)
  }

  override accept(chunk: Buffer, release?: () => void): boolean {
    const pipe = this.#pipe
    if (!pipe?.isClear) return super.accept(chunk)
    const { response } = pipe
    if (!this.#corked) {
      this.#corked = true
      response.cork()
    }
    response.write(chunk, release)
    // Not what write() says: corked, it always wants to wait, although the system may take it all.
    return response.writableLength <= MOST_WAITING
  }

  override flush(): void {
    if (!this.#corked) return
    this.#corked = false
    this.#pipe?.response.uncork()
  }

  protected override conclude(): void {
    this.flush()
    super.conclude()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.flush()
    super._destroy(error, callback)
  }
}
