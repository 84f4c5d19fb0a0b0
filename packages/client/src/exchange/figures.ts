// What one application has done with the requests that it was given: the figures of a pool, and of a member of a balancer.
import type { FastCGIError } from '@fastcgi/protocol'
import type { NewEvent } from '../events.ts'
import { classifyFailure } from './failure.ts'
import type { Attempt } from './handler.ts'
import { Histogram } from './histogram.ts'

const ABORTED = 'a client did not wait for the response'

/** How many requests in a row must fail until an application is taken to fail that can be connected to. */
const FAILURES = 3

/** The last failure of an application. */
export interface LastError {
  readonly message: string
  /** `code` of the error; undefined where a health check has failed. */
  readonly code?: string | undefined
  /** What to do about it, where the code does not say it. */
  readonly remedy?: string | undefined
  readonly at: Date
}

/** Is told what happens to an application. */
export type FiguresListener = (event: Omit<NewEvent, 'member'>) => void

/**
 * Counters and latency of one application, in constant memory. All are since the start; durations are in milliseconds.
 * A request that is sent again, because a reused connection had been closed, is one request.
 */
export class Figures {
  /** How long connections took to open. */
  readonly connectTimes: Histogram = new Histogram()
  /** How long requests waited for a connection. */
  readonly queueTimes: Histogram = new Histogram()
  /** Time from sending a request to the head of its response. */
  readonly headTimes: Histogram = new Histogram()
  /** Time from the arrival of a request to the end of its response, waiting included. */
  readonly totalTimes: Histogram = new Histogram()
  /** Complete responses by class of their status: at index 2 those with 200 to 299, and so on; at 0 those above 599. */
  readonly responses: number[] = [0, 0, 0, 0, 0, 0]
  /** Requests that were sent, also those that were sent again. Those that found no connection are not among them. */
  sent = 0
  /** Those of them that were sent on a connection that had carried another request before. */
  reused = 0
  /** Requests that failed, without those that were aborted. */
  failed = 0
  /** Requests that their caller aborted, as when the HTTP client has disconnected. */
  aborted = 0
  /** Requests that failed because it was unreachable or closed the connection. */
  died = 0
  /** Requests that failed because it had no room. */
  overloaded = 0
  /** Bytes of params, bodies (of known length) and filter data sent to it. */
  bytesSent = 0
  /** Bytes of response bodies received from it. */
  bytesReceived = 0
  /** Its last failure; it stays when it answers again. */
  lastError: LastError | undefined
  /** Since when it has failed every request; undefined if the last one was answered. */
  failingSince: Date | undefined
  readonly #onEvent: FiguresListener | undefined
  #failuresInRow = 0
  #firstFailureAt: Date | undefined

  constructor(onEvent?: FiguresListener) {
    this.#onEvent = onEvent
  }

  /** An attempt has a connection, and begins to send `bytes`. */
  started({ reused, queueTime, connectTime }: Attempt, bytes: number): void {
    this.sent++
    this.bytesSent += bytes
    this.queueTimes.observe(queueTime)
    if (reused) this.reused++
    else this.connectTimes.observe(connectTime)
  }

  /** A response is complete, `elapsed` milliseconds after the arrival of its request. */
  answered(status: number, elapsed: number): void {
    const group = status < 600 ? Math.floor(status / 100) : 0
    this.responses[group] = (this.responses[group] ?? 0) + 1
    this.totalTimes.observe(elapsed)
    if (this.#failuresInRow > 0) this.#recovered()
  }

  /** A request failed, and is not sent again here. */
  failedWith(error: FastCGIError): void {
    if (error.code === 'FCGI_ABORTED') {
      this.aborted++
      this.#onEvent?.({ kind: 'aborted', message: ABORTED, code: error.code })
      return
    }
    this.failed++
    const kind = classifyFailure(error)
    if (kind === 'unrelated') return
    const at = new Date()
    const { message, code } = error
    this.lastError = { message, code, at }
    this.#onEvent?.({ kind: 'error', message, code })
    if (kind === 'overloaded') {
      this.overloaded++
      return
    }
    if (kind === 'died') this.died++
    if (this.#failuresInRow++ === 0) this.#firstFailureAt = at
    if (this.failingSince !== undefined) return
    if (this.#failuresInRow < FAILURES && !UNREACHABLE.has(code)) return
    this.failingSince = this.#firstFailureAt
    this.#onEvent?.({ kind: 'failing', message, code })
  }

  /** Notes what an application says itself is wrong with a request. It has answered, so that is no failure of its own. */
  noted(message: string, remedy: string | undefined): void {
    this.lastError = { message, remedy, at: new Date() }
    this.#onEvent?.({ kind: 'error', message, code: 'FCGI_STDERR', remedy })
  }

  #recovered(): void {
    const failed = this.failingSince !== undefined
    this.#failuresInRow = 0
    this.failingSince = undefined
    if (failed) this.#onEvent?.({ kind: 'back', message: 'it answers again' })
  }
}

/** Codes of errors of which one is enough: no request can be answered. */
const UNREACHABLE: ReadonlySet<string> = new Set(['FCGI_CONNECT', 'FCGI_CONNECT_TIMEOUT'])
