import {
  type Attempt,
  type DispatchHandler,
  type FastCGIError,
  OverloadedError,
  PrematureCloseError,
  TimeoutError,
} from '@fastcgi/client'
import { ForwardingHandler } from '@fastcgi/client/internal'

/** How a request ended, as far as its process is concerned. */
export type Ending =
  /** It was answered completely. */
  | 'answered'
  /** It failed, and the process is not at it any more. */
  | 'failed'
  /** It was given up while the process may still be at it: aborted, or its answer was malformed. */
  | 'abandoned'
  /** It exceeded a timeout. */
  | 'hung'

/** The process that a {@link WatchedExchange} reports to. */
export interface ExchangeObserver {
  readonly name: string
  readonly state: string
  /** Whether connections that are lost now had not been accepted by any child. */
  readonly refusing: boolean
  readonly lastExit: { readonly reason: string } | undefined
  readonly output: { readonly text: string }
}

/** Forwards the events of a request to its handler, and reports its end to its process. */
export class WatchedExchange extends ForwardingHandler {
  readonly #process: ExchangeObserver
  readonly #onOver: (ending: Ending) => void
  /** Whether anything was sent. */
  #sent = false

  constructor(
    observer: ExchangeObserver,
    handler: DispatchHandler,
    onOver: (ending: Ending) => void,
  ) {
    super(handler)
    this.#process = observer
    this.#onOver = onOver
  }

  override onStart(attempt: Attempt): void {
    this.#sent = true
    super.onStart(attempt)
  }

  override onEnd(appStatus: number): void {
    this.#onOver('answered')
    super.onEnd(appStatus)
  }

  override onError(error: FastCGIError, retryable: boolean): void {
    this.#onOver(this.#endingOf(error))
    const explained = this.#explain(error)
    super.onError(explained, retryable || explained instanceof OverloadedError)
  }

  #endingOf(error: FastCGIError): Ending {
    if (error instanceof TimeoutError) return 'hung'
    if (!this.#sent || error instanceof PrematureCloseError || error instanceof OverloadedError)
      return 'failed'
    return 'abandoned'
  }

  /**
   * If the process failed, replaces the error of the closed connection by one that tells why. FCGI_OVERLOADED invites
   * clients to send the request again, so it is used only if no process can have begun with the request.
   */
  #explain(error: FastCGIError): FastCGIError {
    const { state, refusing, name, lastExit, output } = this.#process
    if (!(error instanceof PrematureCloseError) || state !== 'backoff') return error
    const message = `${name} ${lastExit?.reason}${output.text === '' ? '' : `; it said: ${output.text}`}`
    return error.begun && !refusing
      ? new PrematureCloseError(message, { cause: error, begun: true })
      : new OverloadedError(message, { cause: error })
  }
}
