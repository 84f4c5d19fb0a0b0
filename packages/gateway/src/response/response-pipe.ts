import { ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'

const { write } = ServerResponse.prototype
const socketWrite = Socket.prototype.write

/**
 * A body that is piped to a response of node:http, as adapters and frameworks do it. While the pipe is direct, the body may
 * write to the response itself, bypassing its own stream queue, and reuse the memory of a chunk once it has been written.
 * If something else read the chunks, for instance a compressing stream or a 'data' listener that keeps them, reusing their
 * memory would change the bytes that it holds; hence {@link isDirect} is checked before each write.
 */
export class ResponsePipe {
  readonly response: ServerResponse
  readonly #body: Readable

  private constructor(body: Readable, response: ServerResponse) {
    this.#body = body
    this.response = response
  }

  /** Undefined if the target is anything else; responses of node:http2 are of another class. */
  static between(body: Readable, target: unknown): ResponsePipe | undefined {
    return target instanceof ServerResponse ? new ResponsePipe(body, target) : undefined
  }

  /**
   * Whether the body flows, its queue is empty (else chunks would overtake queued ones), the pipe is its only reader, and
   * `write` of the response has not been replaced by middleware.
   */
  get isDirect(): boolean {
    const body = this.#body
    return (
      body.readableFlowing === true &&
      body.readableLength === 0 &&
      body.listenerCount('data') === 1 &&
      this.response.write === write &&
      isPlain(this.response.socket) &&
      !body.destroyed
    )
  }
}

/**
 * Whether a socket is a net.Socket (or TLSSocket), whose write callback means that the bytes have been copied to the kernel.
 * Any other Duplex, such as a tunnel, may keep the memory that was written, so its memory must not be reused.
 */
function isPlain(socket: Socket | null): boolean {
  return socket instanceof Socket && socket.write === socketWrite
}
