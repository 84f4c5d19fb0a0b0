import type { Readable } from 'node:stream'
import type { Timeouts } from '../options.ts'
import type { BalanceHints } from './balance-hints.ts'

/**
 * Params of a request. Strings are sent as UTF-8, numbers in decimal, null and undefined not at all; of a name
 * given twice the application decides. A Buffer is an encoded block (FastCGI 1.0 §3.4) and is sent as it is.
 */
export type ParamsInit =
  | Buffer
  | Readonly<Record<string, string | number | null | undefined>>
  | Iterable<readonly [string, string | number | null | undefined]>

/** The file that a filter is to work on (FastCGI 1.0 §6.4). */
export interface FilterData {
  /** Its content, sent as DATA once STDIN is complete; never read where the application answers without it. */
  stream: Readable
  /**
   * Bytes that `stream` must have: FCGI_DATA_LENGTH. When it ends short or runs over, the request fails, so that the
   * application never takes a part for the whole.
   */
  length: number
  /** When the file was changed: FCGI_DATA_LAST_MOD, in whole seconds since 1970. */
  lastModified: Date
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
