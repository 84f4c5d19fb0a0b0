// The timeout `send`: disconnects clients that take nothing of their responses.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { SendTimeoutError } from '../errors.ts'
import type { GatewayLogger } from '../logger.ts'
import { http2Stream, isHttp2 } from '../request/http-version.ts'
import { disconnectClient } from './abort-response.ts'
import { UnsentBytes } from './unsent-bytes.ts'

/** A response that an adapter writes. */
export interface SentResponse {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly logger: GatewayLogger
}

const DEFAULT_TIMEOUT = 60_000
/** Checks within one timeout. A client is disconnected after the timeout and at most two checks more. */
const CHECKS = 8

/**
 * Disconnects clients that take nothing of a response for `timeout` milliseconds although bytes wait for them, because such a
 * client holds a worker of the application.
 *
 * One timer checks all responses that were not written at once; a response that was, costs nothing. The waiting bytes are
 * counted where they leave the process, so that it does not matter which adapter or stream has written them.
 */
export class SendTimeout {
  readonly #timeout: number
  readonly #watched = new Map<SentResponse, UnsentBytes>()
  #timer: NodeJS.Timeout | undefined

  /** @param timeout milliseconds; 0 for none. */
  constructor(timeout: number = DEFAULT_TIMEOUT) {
    this.#timeout = timeout
  }

  /** Watches a response that has been passed to an adapter, unless all of it has been written. */
  watch(response: SentResponse): void {
    const { req, res } = response
    const isWritten = !isHttp2(req) && res.writableFinished
    if (this.#timeout === 0 || isWritten) return
    this.#watched.set(response, new UnsentBytes(req, res))
    res.once('close', () => this.#watched.delete(response))
    if (this.#timer !== undefined) return
    this.#timer = setInterval(this.#check, Math.max(1, this.#timeout / CHECKS))
    this.#timer.unref()
  }

  readonly #check = (): void => {
    // The timer is kept until a check finds nothing, so that responses that follow each other need no timer each.
    if (this.#watched.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
      return
    }
    const now = performance.now()
    for (const [response, unsent] of this.#watched)
      if (isClosed(response.req)) this.#watched.delete(response)
      else if (unsent.stalledFor(now) >= this.#timeout) this.#expire(response)
  }

  #expire(response: SentResponse): void {
    const { req, res, logger } = response
    this.#watched.delete(response)
    const err = new SendTimeoutError(this.#timeout)
    logger.info({ err }, `response broken off: ${err.message}`)
    disconnectClient(req, res)
  }
}

/** Whether the connection or the HTTP/2 stream of a request is closed, or is being closed. */
function isClosed(req: IncomingMessage): boolean {
  return http2Stream(req)?.closed ?? req.socket.destroyed
}
