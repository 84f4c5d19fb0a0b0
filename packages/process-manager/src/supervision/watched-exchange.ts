import {
  type DispatchHandler,
  type FastCGIError,
  OverloadedError,
  PrematureCloseError,
  TimeoutError,
} from '@fastcgi/client'
import { ForwardingHandler } from '@fastcgi/client/internal'

/** The process that a {@link WatchedExchange} reports to. */
export interface ExchangeObserver {
  readonly name: string
  readonly state: string
  readonly lastExit: { readonly reason: string } | undefined
  /** Its last lines of output, joined. */
  readonly lastOutput: string
  /** A request has ended. */
  onComplete(answered: boolean): void
  /** A request exceeded a timeout. */
  onTimeout(): void
}

/** Forwards the events of a request to its handler, and reports its end to its process. */
export class WatchedExchange extends ForwardingHandler {
  readonly #process: ExchangeObserver

  constructor(process: ExchangeObserver, handler: DispatchHandler) {
    super(handler)
    this.#process = process
  }

  override onEnd(appStatus: number): void {
    this.#process.onComplete(true)
    super.onEnd(appStatus)
  }

  override onError(error: FastCGIError, retryable: boolean): void {
    this.#process.onComplete(false)
    if (error instanceof TimeoutError) this.#process.onTimeout()
    super.onError(this.#explain(error), retryable)
  }

  /** If the process failed to start, replaces the error of the closed connection by one that tells why it failed. */
  #explain(error: FastCGIError): FastCGIError {
    const { state, name, lastExit, lastOutput } = this.#process
    if (!(error instanceof PrematureCloseError) || state !== 'backoff') return error
    return new OverloadedError(
      `${name} ${lastExit?.reason}${lastOutput === '' ? '' : `; it said: ${lastOutput}`}`,
      { cause: error },
    )
  }
}
