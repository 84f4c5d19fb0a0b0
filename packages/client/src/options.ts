import {
  anyOf,
  type Checks,
  checkOptions,
  flag,
  integer,
  milliseconds,
  oneOf,
  shape,
} from './check-options.ts'
import { OptionError } from './errors.ts'

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

/** How connections to one address are made, kept and shared. */
export interface PoolOptions {
  /**
   * Keep connections for further requests (FCGI_KEEP_CONN; Apache `enablereuse`). Kept ones are let go as soon as
   * they seem to keep others waiting. With true they only carry what can be sent again, for an application may close
   * one at any moment, and php-fpm at `pm.max_requests` swallows what comes then; `'always'` takes that risk.
   * @default true
   */
  reuse?: boolean | 'always' | undefined
  /**
   * Most connections at a time (Apache `max`). `'auto'` learns how many are really served at once, up to 64: what a
   * php-fpm of 5 children cannot take waits here, in order, and not in the socket's backlog. @default 'auto'
   */
  maxConnections?: number | 'auto' | undefined
  /** Fewest connections that `'auto'` falls to (Apache `min`, but nothing is connected in advance). @default 1 */
  minConnections?: number | undefined
  /** So many idle connections are not closed by `idleTimeout` (Apache `smax`). @default 0 */
  softMaxConnections?: number | undefined
  /** Milliseconds an idle connection is kept (Apache `ttl`). A php-fpm child serves nobody else meanwhile. @default 1000 */
  idleTimeout?: number | undefined
  /**
   * Milliseconds after which a connection is not used again. Bounds how long other processes that share the
   * application are kept waiting; 0 for no limit, when there are none. @default 500
   */
  maxAge?: number | undefined
  /** Requests per connection; 0 for no limit. Keep below php-fpm's `pm.max_requests`. @default 0 */
  maxRequests?: number | undefined
  /**
   * Milliseconds that a request may sit on a connection nobody has answered on yet, beyond the usual time to answer,
   * before a connection that completes is closed in its favour. @default 5
   */
  fairness?: number | undefined
  /**
   * Send several requests at a time on one connection, under ids of their own (FastCGI 1.0 §3.3). true: the
   * application is known to take it, which php-fpm, libfcgi and fcgiwrap do not. `'auto'`: it is asked once, with
   * FCGI_GET_VALUES on a connection of its own, and what it says of FCGI_MAX_CONNS and FCGI_MAX_REQS is kept to;
   * requests do not wait for the answer. An application that answers FCGI_CANT_MPX_CONN gets one request per
   * connection from then on. Not with `reuse: false`. @default false
   */
  multiplex?: boolean | 'auto' | undefined
  /** Most requests at a time on a connection, with `multiplex`. @default 32 */
  maxMultiplexed?: number | undefined
  /**
   * Bytes of a response that are read on, and handed over, after its reader has paused, so that other requests on the
   * connection go on; with `multiplex`. Beyond them reading waits, for `timeouts.reader` at the most unless the request
   * is alone. @default 262144
   */
  maxPausedSize?: number | undefined
  /** Most requests that wait for a connection; more fail at once. @default 1024 */
  maxQueue?: number | undefined
  /** Milliseconds a request waits for a connection (Apache `acquire`). @default 30000 */
  queueTimeout?: number | undefined
  /**
   * Further attempts where a kept connection turns out to be closed, nothing of a response arrived, and the application
   * cannot have begun or the request is idempotent and its body can be sent again. @default 1
   */
  retries?: number | undefined
  /** Most bytes of a response head. @default 65536 */
  maxHeadSize?: number | undefined
  /** Send TCP keep-alive probes (Apache `keepalive`). @default false */
  tcpKeepAlive?: boolean | undefined
  /** When to give up on an application that does not move. */
  timeouts?: Partial<Timeouts> | undefined
}

/** {@link PoolOptions} with every default filled in. */
export type PoolSettings = {
  readonly [K in keyof PoolOptions]-?: Exclude<PoolOptions[K], undefined>
} & { readonly timeouts: Readonly<Timeouts> }

/** Default timeouts, in milliseconds. */
export const DEFAULT_TIMEOUTS: Readonly<Timeouts> = {
  connect: 3000,
  head: 60_000,
  idle: 60_000,
  write: 60_000,
  body: 60_000,
  reader: 10_000,
  abort: 10_000,
}

const DEFAULTS: PoolSettings = {
  reuse: true,
  maxConnections: 'auto',
  minConnections: 1,
  softMaxConnections: 0,
  idleTimeout: 1000,
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

/** Checks of the pool's options, for whoever takes them among its own. */
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
  timeouts: shape({
    connect: milliseconds,
    head: milliseconds,
    idle: milliseconds,
    write: milliseconds,
    body: milliseconds,
    reader: milliseconds,
    abort: milliseconds,
  }),
}

/** Checks options and fills in defaults. @throws OptionError */
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

/** Timeouts with overrides; undefined overrides nothing. */
export function mergeTimeouts(base: Readonly<Timeouts>, over?: Partial<Timeouts>): Timeouts {
  return {
    connect: over?.connect ?? base.connect,
    head: over?.head ?? base.head,
    idle: over?.idle ?? base.idle,
    write: over?.write ?? base.write,
    body: over?.body ?? base.body,
    reader: over?.reader ?? base.reader,
    abort: over?.abort ?? base.abort,
  }
}
