import { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'

const { write } = ServerResponse.prototype

/**
 * A body that is piped to a response of node:http, as adapters and frameworks do it. While nothing stands between the two,
 * the body may write to the response itself, past its own queue, and use the memory of what it wrote again.
 */
export class ResponsePipe {
  readonly response: ServerResponse
  readonly #body: Readable

  private constructor(body: Readable, response: ServerResponse) {
    this.#body = body
    this.response = response
  }

  /** Undefined where it is piped to something else; of node:http2 there is another class. */
  static between(body: Readable, target: unknown): ResponsePipe | undefined {
    return target instanceof ServerResponse ? new ResponsePipe(body, target) : undefined
  }

  /** Whether nothing waits to be written before, and nobody else sees what is written, or may keep it. */
  get isDirect(): boolean {
    const body = this.#body
    return (
      body.readableFlowing === true &&
      body.readableLength === 0 &&
      body.listenerCount('data') === 1 &&
      this.response.write === write &&
      !body.destroyed
    )
  }
}
