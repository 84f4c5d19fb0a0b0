import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel'
import type { FastCGIError } from '@fastcgi/protocol'
import { ForwardingHandler } from './forwarding-handler.ts'
import type { Attempt, DispatchHandler } from './handler.ts'
import type { FastCGIRequest } from './request.ts'

/** What `tracing:fastcgi:exchange:*` subscribers get; one object for all events of an exchange. */
export interface ExchangeEvent {
  readonly request: FastCGIRequest
  /** Every try so far, the one that was answered last. */
  readonly attempts: Attempt[]
  status?: number
  /** Set with `asyncEnd` of an exchange that was answered. */
  appStatus?: number
  /** Set with `error`. */
  error?: FastCGIError
}

const exchanges: TracingChannel<unknown, ExchangeEvent> = tracingChannel('fastcgi:exchange')

/**
 * The handler to dispatch with: where somebody listens, one that reports the exchange as a tracing channel does
 * (`start`, `end`, `asyncStart`, `asyncEnd`, `error`). Dispatchers nest; the outermost one reports.
 */
export function traced(request: FastCGIRequest, handler: DispatchHandler): DispatchHandler {
  const listened =
    exchanges.start.hasSubscribers ||
    exchanges.asyncEnd.hasSubscribers ||
    exchanges.error.hasSubscribers
  return listened && handler.inner !== true ? new TracedHandler(request, handler) : handler
}

class TracedHandler extends ForwardingHandler {
  readonly #event: ExchangeEvent

  constructor(request: FastCGIRequest, handler: DispatchHandler) {
    super(handler)
    this.#event = { request, attempts: [] }
    exchanges.start.publish(this.#event)
    exchanges.end.publish(this.#event)
  }

  override onStart(attempt: Attempt): void {
    this.#event.attempts.push(attempt)
    super.onStart(attempt)
  }

  override onHead(status: number, headers: string[], reason: string, statusGiven: boolean): void {
    this.#event.status = status
    super.onHead(status, headers, reason, statusGiven)
  }

  override onEnd(appStatus: number): void {
    this.#event.appStatus = appStatus
    this.#over(() => super.onEnd(appStatus))
  }

  override onError(error: FastCGIError, retryable: boolean): void {
    this.#event.error = error
    exchanges.error.publish(this.#event)
    this.#over(() => super.onError(error, retryable))
  }

  #over(tell: () => void): void {
    exchanges.asyncStart.publish(this.#event)
    tell()
    exchanges.asyncEnd.publish(this.#event)
  }
}
