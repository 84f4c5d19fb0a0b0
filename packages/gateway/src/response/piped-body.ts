import { ResponseBody } from '@fastcgi/client'
import { ResponsePipe } from './response-pipe.ts'

/**
 * A response body that bypasses its own stream queue while it is piped directly to a response of node:http. It then corks
 * the response, writes the chunks of one socket read from the memory they were read into, and uncorks it in `flush`, so
 * that they leave in one write. The read buffer may be reused only after `release` has been called for the chunk, which is
 * when the write has completed; without that the client would get overwritten bytes.
 */
export class PipedBody extends ResponseBody {
  #pipe: ResponsePipe | undefined
  #corked = false

  /** Whether chunks are written at once, so that the connection may lend its read buffer. */
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
    // The result of write() cannot be used: on a corked stream it asks for a wait even if uncork() has then written all.
    if (response.writableLength === 0) return true
    if (response.writableNeedDrain) return false
    // Node.js 22 and 24 do not note that uncork() has filled the socket. An empty write does, so that 'drain' comes.
    return response.socket?.writableNeedDrain !== true || response.write('')
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
