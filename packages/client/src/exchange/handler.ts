// The callback interface of `dispatch()`, on which `request()` is built.
import type { FastCGIError } from '@fastcgi/protocol'
import type { FastCGIRequest } from './request.ts'

/** One attempt to send a request and receive its response. Durations are in milliseconds. */
export interface Attempt {
  /** Address of the application, as `Address.name`. */
  address: string
  /** Name of the balancer's member that the request was sent to; undefined without a balancer. */
  member?: string
  /** Whether the connection had carried another request before. */
  reused: boolean
  /** Time the request waited for a connection. */
  queueTime: number
  /** Time to open the connection; 0 on a reused connection. */
  connectTime: number
  /** Time from the start of sending to the end of the response head; undefined until then. */
  headTime?: number
  /** Time from the start of sending to the end of the response or the failure; undefined until then. */
  totalTime?: number
  /** `'ok'` or the `code` of the error; undefined until the attempt has ended. */
  outcome?: string
}

/** The message of the channel `fastcgi:attempt`: an attempt that has ended, with what it was about. */
export interface AttemptEvent extends Attempt {
  /** Method of the HTTP request; undefined if it is not known. */
  readonly method: string | undefined
  /** SCRIPT_FILENAME; undefined if it is not known. */
  readonly script: string | undefined
  /** Name of the HTTP route; undefined without a gateway, and for authorizers. */
  readonly route: string | undefined
}

/** Receives one response. Exactly one of `onEnd` and `onError` is called, once, and no other method after it. */
export interface DispatchHandler {
  /** Set by a dispatcher that passes a request on to another one, so that the exchange is traced only once. */
  readonly inner?: boolean
  /** Whether read buffers may be lent to `onData`. It is read before each call and may change. @default false */
  readonly borrows?: boolean
  /** An attempt begins to send the request. The properties of `attempt` are filled in as it proceeds. */
  onStart?(attempt: Attempt): void
  /** An informational response head (1xx) arrived; another head follows. `headers` as of `onHead`. */
  onInformational?(status: number, headers: string[]): void
  /**
   * The response head is complete.
   * @param status status code, 200 to 999.
   * @param headers fields, flat: name, value, name, value. Order, case and duplicates are preserved; text is latin1.
   * @param reason reason phrase that the application sent, else ''.
   * @param statusGiven whether the application sent the status; otherwise it is 302 with Location, else 200.
   */
  onHead(status: number, headers: string[], reason: string, statusGiven: boolean): void
  /**
   * A chunk of the response body. Return false to pause until {@link DispatchControl.resume}. Data that has been read
   * is still delivered: up to 64 KiB, with multiplexing up to `maxPausedSize` of the pool plus 64 KiB.
   * @param release present when the chunk is lent (see `borrows`): its memory stays unchanged until `release` is
   * called, and is then used for the next read. This saves copying each chunk. Without it, the handler owns the chunk.
   */
  onData(chunk: Buffer, release?: () => void): boolean
  /**
   * All data of one read has been delivered and the response continues: the moment to pass on what was collected.
   * Return false to pause, as in `onData`; any other value continues.
   */
  onFlush?(): unknown
  /**
   * A line of STDERR, without line end, control characters escaped; php-fpm sends several messages as one line, each is
   * reported on its own. A line is cut at 8192 bytes. Of more than 65536 bytes per request the first 49152 are reported as
   * they come and the last 16384 at the end of the request, with a line between them that says how much was left out.
   */
  onStderr?(line: string): void
  /** The response is complete; `appStatus` is the exit status of the application (FastCGI 1.0 §5.5). */
  onEnd(appStatus: number): void
  /**
   * The request failed; a response that has begun is incomplete.
   * @param retryable whether the request may be sent again, to another application: no part of a response arrived, the
   * body can be sent again, and the application has not begun or the request is idempotent.
   */
  onError(error: FastCGIError, retryable: boolean): void
}

/** Controls a dispatched request. */
export interface DispatchControl {
  /** Ends a pause that `onData` or `onFlush` has asked for. */
  resume(): void
  /**
   * Notes what the application has said is wrong with the request, such as a fatal error of PHP, as the last error of the member
   * for those who look at its status. A dispatcher need not have it.
   * @param remedy what to do about it.
   */
  note?(message: string, remedy?: string): void
  /**
   * Aborts the request: calls `onError` with an AbortedError, whose cause is `reason`, before it returns. What is sent
   * to the application: see {@link FastCGIRequest.signal}. Has no effect when the request has ended.
   */
  abort(reason?: unknown): void
}

/** The callback interface of a dispatcher. */
export interface Dispatching {
  /**
   * Sends a request and reports the response by callbacks, without promises and streams. Errors are reported by
   * `onError`; it does not throw.
   */
  dispatch(request: FastCGIRequest, handler: DispatchHandler): DispatchControl
}
