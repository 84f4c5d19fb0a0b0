import { ServerResponse } from 'node:http'
import { ResponseBody } from '@fastcgi/client'

/** Bytes that may wait for the client before the application has to wait as well: what one read brings, and as much again. */
const MOST_WAITING = 131_072

const { write } = ServerResponse.prototype

/**
 * A response body on its way. Piped to a response of node:http, as adapters and frameworks do it, it writes there itself what
 * comes from then on: past the queue of the stream, all that one read brought in one write, and from the very memory
 * that it was read into.
 */
export class PipedBody extends ResponseBody {
  #client: ServerResponse | undefined
  #corked = false

  /** Whether pieces can be written at once, and so be borrowed. */
  override get borrows(): boolean {
    const client = this.#client
    return (
      client !== undefined &&
      this.readableFlowing === true &&
      this.readableLength === 0 &&
      // Somebody besides the pipe wants to see the body, or had the response changed since.
      this.listenerCount('data') === 1 &&
      client.write === write &&
      !this.destroyed
    )
  }

  override pipe<T extends NodeJS.WritableStream>(to: T, options?: { end?: boolean }): T {
    // Of node:http2 there is another class, and what others put in the place of write() may keep what it gets.
    if (to instanceof ServerResponse && this.#client === undefined) {
      this.#client = to
      to.on('drain', () => this.goOn())
    }
    return super.pipe(to, options)
  }

  override accept(chunk: Buffer, release?: () => void): boolean {
    const client = this.#client
    if (client === undefined || !this.borrows) return super.accept(chunk)
    if (!this.#corked) {
      this.#corked = true
      client.cork()
    }
    client.write(chunk, release)
    // Not what write() says: corked, it always wants to wait, although the system may take it all.
    return client.writableLength <= MOST_WAITING
  }

  override flush(): void {
    if (!this.#corked) return
    this.#corked = false
    this.#client?.uncork()
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
