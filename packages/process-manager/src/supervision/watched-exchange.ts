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
  /** Whether connections that are lost now had not been accepted by any child. */
  readonly refusing: boolean
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

  constructor(observer: ExchangeObserver, handler: DispatchHandler) {
    super(handler)
    this.#process = observer
  }

  override onEnd(appStatus: number): void {
    this.#process.onComplete(true)
    super.onEnd(appStatus)
  }

  override onError(error: FastCGIError, retryable: boolean): void {
    this.#process.onComplete(false)
    if (error instanceof TimeoutError) this.#process.onTimeout()
    const explained = this.#explain(error)
    super.onError(explained, retryable || explained instanceof OverloadedError)
  }

  /**
   * If the process failed, replaces the error of the closed connection by one that tells why. FCGI_OVERLOADED invites
   * clients to send the request again, so it is used only if no process can have begun with the request.
   */
  #explain(error: FastCGIError): FastCGIError {
    const { state, refusing, name, lastExit, lastOutput } = this.#process
    if (!(error instanceof PrematureCloseError) || state !== 'backoff') return error
    const message = `${name} ${lastExit?.reason}${lastOutput === '' ? '' : `; it said: ${lastOutput}`}`
    return error.begun && !refusing
      ? new PrematureCloseError(message, { cause: error, begun: true })
      : new OverloadedError(message, { cause: error })
  }
}
