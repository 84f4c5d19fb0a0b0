import type { FastCGIError } from '@fastcgi/protocol'
import type { FastCGIRequest } from './request.ts'

/** One try to get a request answered. */
export interface Attempt {
  /** Where it went, in the form of `Address.name`. */
  address: string
  /** Whether the connection had carried requests before. */
  reused: boolean
  /** Milliseconds the request waited for a place. */
  queueTime: number
  /** Milliseconds it took to connect; 0 on a reused connection. */
  connectTime: number
  /** Milliseconds from sending to the response head; undefined before that. */
  headTime?: number
  /** Milliseconds from sending to the end, whichever it was; undefined before that. */
  totalTime?: number
  /** How it ended: `'ok'`, or the code of the error; undefined before that. */
  outcome?: string
}

/** Takes one response. Exactly one of `onEnd` and `onError` is called, once, and nothing after it. */
export interface DispatchHandler {
  /** Set by dispatchers that hand a request on to another one: events of the exchange are published once. */
  readonly inner?: boolean
  /** Whether pieces of the body may be lent to it, see `onData`; it may change with each. @default false */
  readonly borrows?: boolean
  /** The request is being sent; once per attempt. The object is filled in as the attempt goes on. */
  onStart?(attempt: Attempt): void
  /** An informational (1xx) head came; another head follows. */
  onInformational?(status: number, headers: string[]): void
  /**
   * The response head: status, fields as flat name, value, name, value…; order, case and duplicates as they came,
   * text as latin1; reason phrase ('' if none); whether the application gave the status, or it follows from the fields.
   */
  onHead(status: number, headers: string[], reason: string, statusGiven: boolean): void
  /**
   * A piece of the body. The handler owns it, unless `release` comes with it: then it is on loan, valid until `release`
   * is called, which is once nobody reads it any more; that spares a copy of each piece. Return false for a pause, until {@link DispatchControl.resume}. What has
   * been read still comes: up to 64 KiB, or with multiplexing `maxPausedSize` of the pool and 64 KiB.
   */
  onData(chunk: Buffer, release?: () => void): boolean
  /**
   * All that one read brought has been handed over and the response goes on: a good moment to pass it on. Return false for
   * a pause, as of `onData`; anything else goes on.
   */
  onFlush?(): unknown
  /** A whole line of STDERR, control characters escaped, length and sum capped. */
  onStderr?(line: string): void
  /** The response is complete; `appStatus` is the application's exit status (FastCGI 1.0 §5.5). */
  onEnd(appStatus: number): void
  /**
   * The request failed; whatever of the response came before is not whole. `retryable` tells that nothing of it came
   * and that sending the request again, elsewhere, would do nothing twice.
   */
  onError(error: FastCGIError, retryable: boolean): void
}

/** What the one who dispatched can do to a request under way. */
export interface DispatchControl {
  /** Goes on after `onData` returned false. */
  resume(): void
  /** Gives the request up: `onError` is called with an AbortedError at once, see {@link FastCGIRequest.signal}. */
  abort(reason?: unknown): void
}

/** What the fast path of every dispatcher looks like. */
export interface Dispatching {
  /** The fast path: callbacks, no streams, no promises. Never throws for what the application does. */
  dispatch(request: FastCGIRequest, handler: DispatchHandler): DispatchControl
}
