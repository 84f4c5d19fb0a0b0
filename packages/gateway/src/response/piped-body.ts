import { ResponseBody } from '@fastcgi/client'
import { ResponsePipe } from './response-pipe.ts'

/**
 * A response body on its way. While its pipe is bare, it writes all that one read brought in one write, and from the very
 * memory that it was read into.
 */
export class PipedBody extends ResponseBody {
  #pipe: ResponsePipe | undefined
  #corked = false

  /** Whether pieces can be written at once, and so be borrowed. */
  override get borrows(): boolean {
    return this.#pipe?.isDirect === true
  }

  override pipe<T extends NodeJS.WritableStream>(to: T, options?: { end?: boolean }): T {
    if (this.#pipe === undefined) {
      this.#pipe = ResponsePipe.between(this, to)
      this.#pipe?.response.on('drain', () => this.goOn())
    }
    return super.pipe(to, options)
  }

  override accept(chunk: Buffer, release?: () => void): boolean {
    const pipe = this.#pipe
    if (!pipe?.isDirect) return super.accept(chunk)
    const { response } = pipe
    if (!this.#corked) {
      this.#corked = true
      response.cork()
    }
    response.write(chunk, release)
    return true
  }

  override flush(): boolean {
    const response = this.#pipe?.response
    if (!this.#corked || response === undefined) return true
    this.#corked = false
    response.uncork()
    // Not what write() said: corked, it always wants to wait, although the system may have taken it all by now.
    return response.writableLength === 0 || !response.writableNeedDrain
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
