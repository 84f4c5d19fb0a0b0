import {
  type DispatchHandler,
  type FastCGIError,
  OverloadedError,
  PrematureCloseError,
  TimeoutError,
} from '@fastcgi/client'
import { ForwardingHandler } from '@fastcgi/client/internal'

/** What of a process a {@link WatchedExchange} reads and reports to. */
export interface ExchangeObserver {
  readonly name: string
  readonly state: string
  readonly lastExit: { readonly reason: string } | undefined
  /** Its last lines of output. */
  readonly lastWords: string
  /** A request is over. */
  onOver(answered: boolean): void
  /** A request got no answer in time. */
  onTimeout(): void
}

/** Passes on what becomes of a request, and tells its process. */
export class WatchedExchange extends ForwardingHandler {
  readonly #process: ExchangeObserver

  constructor(process: ExchangeObserver, handler: DispatchHandler) {
    super(handler)
    this.#process = process
  }

  override onEnd(appStatus: number): void {
    this.#process.onOver(true)
    super.onEnd(appStatus)
  }

  override onError(error: FastCGIError, retryable: boolean): void {
    this.#process.onOver(false)
    if (error instanceof TimeoutError) this.#process.onTimeout()
    super.onError(this.#explain(error), retryable)
  }

  /** That a connection was closed says little where the process did not even start. */
  #explain(error: FastCGIError): FastCGIError {
    const { state, name, lastExit, lastWords } = this.#process
    if (!(error instanceof PrematureCloseError) || state !== 'backoff') return error
    return new OverloadedError(
      `${name} ${lastExit?.reason}${lastWords === '' ? '' : `; it said: ${lastWords}`}`,
      { cause: error },
    )
  }
}
