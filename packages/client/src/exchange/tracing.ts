// Publishes exchanges on the tracing channel `fastcgi:exchange`.
import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel'
import type { FastCGIError } from '@fastcgi/protocol'
import { publish } from '../diagnostics.ts'
import { ForwardingHandler } from './forwarding-handler.ts'
import type { Attempt, DispatchHandler } from './handler.ts'
import { addParams, methodOf, scriptOf } from './params.ts'
import type { FastCGIRequest } from './request.ts'

/**
 * The message of the channels `tracing:fastcgi:exchange:*`: one object for all events of an exchange.
 * - `start`: the request is dispatched, synchronously in the asynchronous context of its caller; `end` follows at once.
 * - `error`: it has failed; `error` is set.
 * - `asyncStart`, `asyncEnd`: before and after its handler is told that the response is complete or has failed.
 */
export interface ExchangeEvent {
  /** The request as it was dispatched; its params may be an encoded Buffer. */
  readonly request: FastCGIRequest
  /** Role that the application has (FastCGI 1.0 §6). */
  readonly role: 'responder' | 'authorizer' | 'filter'
  /** Method of the HTTP request; undefined if it is not known. */
  readonly method: string | undefined
  /** SCRIPT_FILENAME; undefined if it is not known. */
  readonly script: string | undefined
  /** Name of the HTTP route, for instance `/shop` or `/shop/*.php`; undefined without a gateway, and for authorizers. */
  readonly route: string | undefined
  /** All attempts so far, in order. An attempt that found no connection is not among them. */
  readonly attempts: Attempt[]
  /** Status code, 200 to 999; set when the response head is complete. */
  status?: number
  /** Exit status of the application; set before `asyncStart` when the response is complete. */
  appStatus?: number
  /** Why the exchange failed; set before `error`. */
  error?: FastCGIError
  /**
   * Sends a param with the request, for instance HTTP_TRACEPARENT, in place of one of the same name. Has an effect only while
   * `start` is published.
   */
  setParam(name: string, value: string): void
}

const exchanges: TracingChannel<unknown, ExchangeEvent> = tracingChannel('fastcgi:exchange')

/**
 * Returns a handler to dispatch with that publishes `start`, `end`, `asyncStart`, `asyncEnd` and `error`, and the request to
 * dispatch; undefined if nobody has subscribed. When dispatchers are nested, only the outermost one publishes.
 */
export function traced(
  request: FastCGIRequest,
  handler: DispatchHandler,
): TracedHandler | undefined {
  const listened =
    exchanges.start.hasSubscribers ||
    exchanges.asyncEnd.hasSubscribers ||
    exchanges.error.hasSubscribers
  return listened && handler.inner !== true ? new TracedHandler(request, handler) : undefined
}

/** A block that cannot be decoded, or a param that cannot be sent, leaves the request as it is. */
function withParams(request: FastCGIRequest, added: ReadonlyMap<string, string>): FastCGIRequest {
  try {
    return { ...request, params: addParams(request.params, added) }
  } catch {
    return request
  }
}

class TracedHandler extends ForwardingHandler {
  /** The request, with the params that subscribers have added. */
  readonly request: FastCGIRequest
  readonly #event: ExchangeEvent

  constructor(request: FastCGIRequest, handler: DispatchHandler) {
    super(handler)
    const added = new Map<string, string>()
    const { params, role = 'responder' } = request
    this.#event = {
      request,
      role,
      method: request.method ?? methodOf(params),
      script: request.script ?? (scriptOf(params) || undefined),
      route: request.route,
      attempts: [],
      setParam: (name, value) => void added.set(name, value),
    }
    publish(exchanges.start, this.#event)
    publish(exchanges.end, this.#event)
    this.request = added.size === 0 ? request : withParams(request, added)
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
