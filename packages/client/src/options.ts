// Options of pools and the timeouts of requests: types, defaults and checks.
import {
  anyOf,
  type Check,
  type Checks,
  checkOptions,
  flag,
  integer,
  listOf,
  milliseconds,
  oneOf,
  shape,
  text,
} from './check-options.ts'
import { OptionError } from './errors.ts'

/**
 * Timeouts of a request in milliseconds, 0 to 2147483647; 0 disables a timeout. All are timeouts of inactivity: none
 * limits the total duration of a request.
 */
export interface Timeouts {
  /** Until the connection is established (Apache `connectiontimeout`). @default 3000 */
  connect: number
  /**
   * From the last activity on the request, usually its last byte being sent, to the end of the response head (Apache
   * `timeout`). STDERR counts as activity. @default 60000
   */
  head: number
  /** Between two reads of the response body (Apache `timeout`). Suspended while the reader has paused. @default 60000 */
  idle: number
  /** While data is waiting to be sent: until the application reads some of it. @default 60000 */
  write: number
  /** Between two chunks of a request body that is a stream. @default 60000 */
  body: number
  /**
   * With {@link PoolOptions.multiplex}: how long a response whose reader has paused may block other requests on the
   * connection before it fails with a SlowReaderError; see {@link PoolOptions.maxPausedSize}. @default 10000
   */
  multiplexReader: number
  /** @deprecated The former name of {@link Timeouts.multiplexReader}, which takes precedence. */
  reader?: number | undefined
  /**
   * With {@link PoolOptions.multiplex}: from ABORT_REQUEST to END_REQUEST. When it expires, the connection accepts no
   * new requests and is closed when its last request has ended. @default 10000
   */
  abort: number
}

/** Certificates as PEM. */
type PEM = string | Buffer

/**
 * How connections to an address `fcgis://host` are encrypted and verified: TLS 1.2 or 1.3, and the certificate of the
 * application (or of the TLS terminator in front of it) must be valid.
 */
export interface TLSOptions {
  /** Certificates of the authorities that are trusted. @default those that Node trusts */
  ca?: PEM | readonly PEM[] | undefined
  /** Certificate of this client, with its chain, for applications that demand one. @default none */
  cert?: PEM | undefined
  /** Private key of `cert`. */
  key?: PEM | undefined
  /** The name or IP address that the certificate must be for; a name is also sent (SNI). @default the host of the address */
  servername?: string | undefined
  /** Whether a connection is refused whose certificate cannot be verified. @default true */
  rejectUnauthorized?: boolean | undefined
}

/** How a {@link Pool} opens, keeps and shares the connections to one address. Durations are in milliseconds. */
export interface PoolOptions {
  /**
   * Keep connections open for further requests (FCGI_KEEP_CONN; Apache `enablereuse`). A kept connection is closed
   * early when it appears to block new connections, because it occupies a worker of the application. With `true`, a
   * kept connection is used only for requests that can be sent again: the application may close it at any time, and
   * php-fpm at `pm.max_requests` discards a request that arrives at that moment. With `'always'` it is used for all
   * requests, and the caller accepts that risk; it is then also kept after scripts that work on after their response, and
   * where requests are rare. @default true
   */
  reuse?: boolean | 'always' | undefined
  /**
   * Maximum number of connections, 1 to 65535 (Apache `max`). `'auto'` learns how many connections the application
   * serves at the same time, up to 64. Further requests wait in the queue of the pool, in order of arrival, and not in
   * the listen backlog of the socket; when none completes, they are sent on further connections, up to 64.
   * @default 'auto'
   */
  maxConnections?: number | 'auto' | undefined
  /** Lower bound of `maxConnections: 'auto'` (Apache `min`, but no connections are opened in advance). @default 1 */
  minConnections?: number | undefined
  /** Number of idle connections that `idleTimeout` does not close (Apache `smax`). @default 0 */
  softMaxConnections?: number | undefined
  /** How long an idle connection is kept; 0 for no limit (Apache `ttl`). It occupies a php-fpm child. @default 30 */
  idleTimeout?: number | undefined
  /**
   * Maximum age of a connection that is used again; 0 for no limit. It bounds how long the pool occupies a worker that
   * other clients of the same application are waiting for. Unless it is 0, connections are also closed after some
   * milliseconds of use, and where requests are rare: see the README on slow scripts and after-work. @default 500
   */
  maxAge?: number | undefined
  /** Maximum requests on one connection; 0 for no limit. Keep it below php-fpm's `pm.max_requests`. @default 0 */
  maxRequests?: number | undefined
  /**
   * How long a request may wait on a connection that has not answered yet, in addition to three times the usual time
   * to answer, before another connection is closed to free a worker for it. @default 5
   */
  fairness?: number | undefined
  /**
   * Send several requests at the same time on one connection, each with its own request id (FastCGI 1.0 §3.3).
   * - `true`: for an application that is known to support it. php-fpm, libfcgi and fcgiwrap do not.
   * - `'auto'`: the pool queries the application once with FCGI_GET_VALUES, on a separate connection, and respects its
   *   FCGI_MAX_CONNS and FCGI_MAX_REQS. Requests do not wait for the answer; until then, and without support, each has
   *   a connection of its own.
   *
   * After FCGI_CANT_MPX_CONN the pool sends one request at a time per connection. Cannot be combined with
   * `reuse: false`. @default false
   */
  multiplex?: boolean | 'auto' | undefined
  /** With `multiplex`: maximum number of requests at the same time on one connection, 1 to 65535. @default 32 */
  maxMultiplexed?: number | undefined
  /**
   * With `multiplex`: how many bytes of a response are still read and passed on after its reader has paused, so that
   * other requests on the connection continue. After that the connection is not read until the reader resumes, or
   * {@link Timeouts.multiplexReader} expires, which it does only while other requests are active there. @default 262144
   */
  maxPausedSize?: number | undefined
  /** Maximum number of requests that wait for a connection; others fail at once with an OverloadedError. @default 1024 */
  maxQueue?: number | undefined
  /** How long a request waits for a connection; 0 for no limit (Apache `acquire`). @default 30000 */
  queueTimeout?: number | undefined
  /**
   * How many times a request is sent again after a reused connection turned out to be closed, 0 to 100. This requires
   * that no part of a response arrived and that its body can be sent again, and either that nothing of the request was
   * sent or that it is idempotent. @default 1
   */
  retries?: number | undefined
  /** Maximum length of a response head in bytes, 64 to 16777216. @default 65536 */
  maxHeadSize?: number | undefined
  /** Send TCP keep-alive probes after 60 seconds of silence (Apache `keepalive`). @default false */
  tcpKeepAlive?: boolean | undefined
  /** Certificates and verification of an address `fcgis://host`; not valid for other addresses. */
  tls?: TLSOptions | undefined
  /** Timeouts of inactivity. A request can override them. */
  timeouts?: Partial<Timeouts> | undefined
}

/** {@link PoolOptions} with all defaults filled in. */
export type PoolSettings = {
  readonly [K in Exclude<keyof PoolOptions, 'tls'>]-?: Exclude<PoolOptions[K], undefined>
} & { readonly timeouts: Readonly<Timeouts>; readonly tls?: TLSOptions | undefined }

/** Default timeouts, in milliseconds. */
export const DEFAULT_TIMEOUTS: Readonly<Timeouts> = {
  connect: 3000,
  head: 60_000,
  idle: 60_000,
  write: 60_000,
  body: 60_000,
  multiplexReader: 10_000,
  abort: 10_000,
}

const DEFAULTS: PoolSettings = {
  reuse: true,
  maxConnections: 'auto',
  minConnections: 1,
  softMaxConnections: 0,
  idleTimeout: 30,
  maxAge: 500,
  maxRequests: 0,
  fairness: 5,
  multiplex: false,
  maxMultiplexed: 32,
  maxPausedSize: 262_144,
  maxQueue: 1024,
  queueTimeout: 30_000,
  retries: 1,
  maxHeadSize: 65_536,
  tcpKeepAlive: false,
  timeouts: DEFAULT_TIMEOUTS,
}

/** Checks of {@link Timeouts}, for classes that accept timeouts of their own together with them. */
export const timeoutChecks: Checks = {
  connect: milliseconds,
  head: milliseconds,
  idle: milliseconds,
  write: milliseconds,
  body: milliseconds,
  multiplexReader: milliseconds,
  abort: milliseconds,
  reader: milliseconds,
}

const pem: Check = (value) =>
  (typeof value === 'string' || Buffer.isBuffer(value)) && value.includes('-----BEGIN ')
    ? undefined
    : 'PEM as a string or a Buffer (the content of the file, not its name)'

/** Checks of {@link PoolOptions}, for classes that accept pool options together with their own. */
export const poolChecks: Checks = {
  reuse: anyOf(flag, oneOf('always')),
  maxConnections: anyOf(oneOf('auto'), integer(1, 65_535)),
  minConnections: integer(1, 65_535),
  softMaxConnections: integer(0, 65_535),
  idleTimeout: milliseconds,
  maxAge: milliseconds,
  maxRequests: integer(0),
  fairness: milliseconds,
  multiplex: anyOf(flag, oneOf('auto')),
  maxMultiplexed: integer(1, 65_535),
  maxPausedSize: integer(0),
  maxQueue: integer(0),
  queueTimeout: milliseconds,
  retries: integer(0, 100),
  maxHeadSize: integer(64, 16_777_216),
  tcpKeepAlive: flag,
  tls: shape({
    ca: anyOf(pem, listOf(pem)),
    cert: pem,
    key: pem,
    servername: text,
    rejectUnauthorized: flag,
  }),
  timeouts: shape(timeoutChecks),
}

/** Validates the options and fills in the defaults. @throws OptionError */
export function poolSettings(options: PoolOptions, where = 'Pool'): PoolSettings {
  checkOptions(where, options, poolChecks)
  if (options.multiplex && options.reuse === false)
    throw new OptionError(
      `${where}: option multiplex needs connections that are kept (option reuse)`,
    )
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return {
    ...DEFAULTS,
    ...Object.fromEntries(given),
    timeouts: mergeTimeouts(DEFAULT_TIMEOUTS, options.timeouts),
  }
}

/** Returns `base` with the values of `over` that are not undefined. */
export function mergeTimeouts(base: Readonly<Timeouts>, over?: Partial<Timeouts>): Timeouts {
  return {
    connect: over?.connect ?? base.connect,
    head: over?.head ?? base.head,
    idle: over?.idle ?? base.idle,
    write: over?.write ?? base.write,
    body: over?.body ?? base.body,
    multiplexReader: over?.multiplexReader ?? over?.reader ?? base.multiplexReader,
    abort: over?.abort ?? base.abort,
  }
}

/** Returns the timeouts that are not undefined, each under its current name. */
export function givenTimeouts({ reader, ...timeouts }: Partial<Timeouts> = {}): Partial<Timeouts> {
  const all = { ...timeouts, multiplexReader: timeouts.multiplexReader ?? reader }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}
