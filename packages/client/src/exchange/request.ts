import type { Readable } from 'node:stream'
import type { Timeouts } from '../options.ts'
import type { BalanceHints } from './balance-hints.ts'

/**
 * Params of a request: an object, a Map or an iterable of pairs. Strings are sent as UTF-8, numbers in decimal; entries
 * with null or undefined are omitted. A name may occur twice; the application decides which value counts. A Buffer is
 * an encoded block (FastCGI 1.0 §3.4) and is sent unchanged. A param may have 65528 bytes, name and lengths included.
 */
export type ParamsInit =
  | Buffer
  | Readonly<Record<string, string | number | null | undefined>>
  | Iterable<readonly [string, string | number | null | undefined]>

/** The file that a filter processes (FastCGI 1.0 §6.4). */
export interface FilterData {
  /** Content of the file, sent as DATA after STDIN. It is not read if the application answers before that. */
  stream: Readable
  /**
   * Length of `stream` in bytes, sent as FCGI_DATA_LENGTH. When the stream is shorter or longer, the request fails with
   * a RequestBodyError and the end of DATA is not sent, so that the application does not treat a part as complete.
   */
  length: number
  /** Modification time of the file, sent as FCGI_DATA_LAST_MOD in whole seconds since 1970. */
  lastModified: Date
}

/** One FastCGI request. */
export interface FastCGIRequest {
  /** Role of the application (FastCGI 1.0 §6). @default 'responder' */
  role?: 'responder' | 'authorizer' | 'filter' | undefined
  /** The params, for instance the meta-variables of RFC 3875 §4. */
  params: ParamsInit
  /** The request body, sent as STDIN. A Readable is sent with backpressure. @default null */
  body?: Readable | Buffer | string | null | undefined
  /**
   * Whether the end record of STDIN is sent when there is no body. Set it to false for authorizers that do not expect
   * STDIN. @default true
   */
  stdin?: boolean | undefined
  /**
   * Length of `body` in bytes, if it is a Readable. When the stream is shorter or longer, the request fails with a
   * RequestBodyError and the end of STDIN is not sent, so that the application does not treat a part as complete.
   */
  bodyLength?: number | undefined
  /**
   * Whether the chunks of `body`, a Readable, are used by no other code. The memory of each chunk is then freed when it
   * has been sent, which saves an upload most of its garbage collection. Ignored while the stream has another `data`
   * listener. @default false
   */
  disposeBody?: boolean | undefined
  /** The file that a filter processes; required for that role, not allowed for others. */
  data?: FilterData | undefined
  /**
   * Aborts the request. The connection is closed, which is the only abort that php-fpm and libfcgi detect; when other
   * requests are active on it, ABORT_REQUEST is sent instead.
   */
  signal?: AbortSignal | undefined
  /**
   * Whether the request may be repeated without a further effect (RFC 9110 §9.2.2), and so be sent again.
   * @default whether REQUEST_METHOD is one of {@link IDEMPOTENT_METHODS}; false if `params` is not an object
   */
  idempotent?: boolean | undefined
  /**
   * What names the script in the pool's table of scripts that work on after the end of their response
   * (`fastcgi_finish_request`), and in `stats`. To be given with `params` that are not an object.
   * @default SCRIPT_FILENAME, if `params` is an object
   */
  script?: string | undefined
  /**
   * Method of the HTTP request, for subscribers of the diagnostics channels. To be given with `params` that are not an object.
   * @default REQUEST_METHOD, if `params` is an object
   */
  method?: string | undefined
  /** Name of the HTTP route that the request has taken, for subscribers of the diagnostics channels. @default none */
  route?: string | undefined
  /** Timeouts of this request in milliseconds, in place of those of the pool. */
  timeouts?: Partial<Timeouts> | undefined
  /** What a balancer uses for sticky sessions and hash keys. */
  balance?: BalanceHints | undefined
}
