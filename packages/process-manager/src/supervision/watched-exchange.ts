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
  /** Whether no child has accepted the connections that are lost now. */
  readonly refusing: boolean
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
  readonly #observer: ExchangeObserver

  constructor(observer: ExchangeObserver, handler: DispatchHandler) {
    super(handler)
    this.#observer = observer
  }

  override onEnd(appStatus: number): void {
    this.#observer.onOver(true)
    super.onEnd(appStatus)
  }

  override onError(error: FastCGIError, retryable: boolean): void {
    this.#observer.onOver(false)
    if (error instanceof TimeoutError) this.#observer.onTimeout()
    const told = this.#explain(error)
    super.onError(told, retryable || told instanceof OverloadedError)
  }

  /**
   * That a connection was closed says little where the process did not even start, so its end is told as well. Only what
   * no process can have begun is FCGI_OVERLOADED, which invites clients to try again.
   */
  #explain(error: FastCGIError): FastCGIError {
    const { state, refusing, name, lastExit, lastWords } = this.#observer
    if (!(error instanceof PrematureCloseError) || state !== 'backoff') return error
    const message = `${name} ${lastExit?.reason}${lastWords === '' ? '' : `; it said: ${lastWords}`}`
    return error.begun && !refusing
      ? new PrematureCloseError(message, { cause: error, begun: true })
      : new OverloadedError(message, { cause: error })
  }
}
