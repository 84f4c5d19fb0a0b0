// Publishes exchanges on the tracing channel `fastcgi:exchange`.
import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel'
import type { FastCGIError } from '@fastcgi/protocol'
import { publish } from '../diagnostics.ts'
import { ForwardingHandler } from './forwarding-handler.ts'
import type { Attempt, DispatchHandler } from './handler.ts'
import type { FastCGIRequest } from './request.ts'

/** The message of the channels `tracing:fastcgi:exchange:*`: one object for all events of an exchange. */
export interface ExchangeEvent {
  /** The request as it was dispatched. */
  readonly request: FastCGIRequest
  /** All attempts so far, in order. */
  readonly attempts: Attempt[]
  /** Status code; set when the response head is complete. */
  status?: number
  /** Exit status of the application; set before `asyncStart` when the response is complete. */
  appStatus?: number
  /** Why the exchange failed; set before `error`. */
  error?: FastCGIError
}

const exchanges: TracingChannel<unknown, ExchangeEvent> = tracingChannel('fastcgi:exchange')

/**
 * Returns the handler to dispatch with. If the tracing channel has subscribers, it is a wrapper that publishes `start`,
 * `end`, `asyncStart`, `asyncEnd` and `error`. When dispatchers are nested, only the outermost one publishes.
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
    publish(exchanges.start, this.#event)
    publish(exchanges.end, this.#event)
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
    this.#finish(() => super.onEnd(appStatus))
  }

  override onError(error: FastCGIError, retryable: boolean): void {
    this.#event.error = error
    publish(exchanges.error, this.#event)
    this.#finish(() => super.onError(error, retryable))
  }

  #finish(callback: () => void): void {
    publish(exchanges.asyncStart, this.#event)
    try {
      callback()
    } finally {
      publish(exchanges.asyncEnd, this.#event)
    }
  }
}
