import type { Readable } from 'node:stream'
import type { FastCGIError } from '@fastcgi/protocol'
import type { BalanceHints } from './balancer/hints.ts'
import type { FilterData } from './filter-data.ts'
import type { PoolOptions } from './options.ts'
import type { FastCGIResponse } from './response.ts'

/**
 * Params of a request. Strings are sent as UTF-8, numbers in decimal, null and undefined not at all; of a name
 * given twice the application decides. A Buffer is an encoded block (FastCGI 1.0 §3.4) and is sent as it is.
 */
export type ParamsInit =
  | Buffer
  | Readonly<Record<string, string | number | null | undefined>>
  | Iterable<readonly [string, string | number | null | undefined]>

/** Times in milliseconds after which a request gives up when nothing moves; 0 waits for ever. */
export interface Timeouts {
  /** Until the connection stands. @default 3000 */
  connect: number
  /** From the last byte of the request, without a sign of life, to the end of the response head. @default 60000 */
  head: number
  /** Between two reads of the body. Does not run while the reader has paused. @default 60000 */
  idle: number
  /** Without the application taking any of what is to be written. @default 60000 */
  write: number
  /** Between two pieces of a request body that comes as a stream. @default 60000 */
  body: number
  /**
   * How long a response whose reader has paused may hold up other requests on its connection before it is given up;
   * see {@link PoolOptions.maxPausedSize}. @default 10000
   */
  reader: number
  /**
   * From ABORT_REQUEST to END_REQUEST, where requests are multiplexed. After it, the connection takes nothing new and
   * is closed with the last request on it. @default 10000
   */
  abort: number
}

/** One FastCGI request. */
export interface FastCGIRequest {
  /** Role the application is to play (FastCGI 1.0 §6). @default 'responder' */
  role?: 'responder' | 'authorizer' | 'filter'
  /** The request's environment, for instance as of RFC 3875 §4. */
  params: ParamsInit
  /** STDIN. A Readable is sent as it flows, with backpressure. @default null */
  body?: Readable | Buffer | string | null
  /** Send the end of STDIN where there is no body. False is for authorizers that do not expect the stream. @default true */
  stdin?: boolean | undefined
  /**
   * Bytes that `body` must have, for a Readable. When it ends short or runs over, the connection is closed, so
   * that the application never takes a part for the whole.
   */
  bodyLength?: number | undefined
  /**
   * Whether the chunks of `body`, a Readable, are nobody else's: the memory of each is freed when it has been sent, as long
   * as nobody else listens to `data`. Spares an upload most of its garbage collection.
   * @default false
   */
  disposeBody?: boolean | undefined
  /** What a filter works on; with that role only. */
  data?: FilterData | undefined
  /**
   * Gives the request up; the connection is closed, which is the only abort php-fpm and libfcgi know. Where other
   * requests are on it, ABORT_REQUEST is sent.
   */
  signal?: AbortSignal | undefined
  /**
   * Whether doing it twice does the same as doing it once, so that it may be tried again.
   * @default as REQUEST_METHOD says, where `params` is an object
   */
  idempotent?: boolean
  /** Overrides of the dispatcher's timeouts for this request. */
  timeouts?: Partial<Timeouts>
  /** What a balancer may go by. */
  balance?: BalanceHints | undefined
}

/** One try to get a request answered. */
export interface Attempt {
  /** Where it went, in the form of {@link Address.name}. */
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
   * been read still comes: up to 64 KiB, or with multiplexing {@link PoolOptions.maxPausedSize} and 64 KiB.
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

/** Counters of a dispatcher. */
export interface DispatcherStats {
  /** Open or opening connections. */
  connections: number
  /** Connections that wait for a request. */
  idle: number
  /** Requests on connections. */
  active: number
  /** Requests that wait for a place. */
  queued: number
  /** How many connections are opened at the most now. */
  limit: number
  /** Requests taken since the start. */
  requests: number
  /** Requests that ended with an error. */
  failed: number
  /** Attempts beyond the first. */
  retries: number
}

/** Whatever can carry requests: a connection, a pool, a balancer. They nest. */
export interface Dispatcher {
  /** The fast path: callbacks, no streams, no promises. Never throws for what the application does. */
  dispatch(request: FastCGIRequest, handler: DispatchHandler): DispatchControl
  /** The comfortable path: resolves with the head, the body is a stream. */
  request(request: FastCGIRequest): Promise<FastCGIResponse>
  /** Takes no more requests and resolves once those under way have ended. */
  close(): Promise<void>
  /** Fails everything under way and resolves once all sockets are closed. */
  destroy(error?: Error): Promise<void>
  readonly stats: DispatcherStats
}
