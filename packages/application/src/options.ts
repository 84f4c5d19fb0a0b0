// Options of createServer: types, defaults and checks.
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { FastCGIError } from '@fastcgi/protocol'

/** Error `FCGI_OPTION`: an option, command line switch or address is unknown or has an invalid value. */
export class OptionError extends FastCGIError {
  constructor(message: string) {
    super('FCGI_OPTION', message)
  }
}

/** Timeouts of connections from web servers, in milliseconds; 0: no limit. */
export interface ServerTimeouts {
  /** From BEGIN_REQUEST to the end of PARAMS (then 408), and for the rest of an incomplete record. @default 60000 */
  params: number
  /** Between two reads of a body that the listener is waiting for; then 408. @default 60000 */
  body: number
  /** For output that the web server does not read; then the connection is closed. @default 60000 */
  write: number
  /** For a connection without a request. Web servers close idle connections themselves. @default 0 */
  idle: number
  /** For the web server to close a connection whose sending side has been closed (nginx `lingering_timeout`). @default 2000 */
  linger: number
}

/** Certificates as PEM. */
type PEM = string | Buffer

/** How a server speaks TLS (1.2 or 1.3) with web servers. */
export interface TLSOptions {
  /** Certificate of this server, with its chain. */
  cert: PEM
  /** Private key of `cert`. */
  key: PEM
  /** Certificates of the authorities of client certificates. @default none: no client certificate is asked for */
  ca?: PEM | readonly PEM[] | undefined
}

/** Options of `createServer`. */
export interface ServerOptions {
  /** Maximum number of connections; requests on further ones are refused with OVERLOADED. Reported as FCGI_MAX_CONNS. @default 4096 */
  maxConnections?: number | undefined
  /** Maximum number of concurrent requests; further ones are refused with OVERLOADED. Reported as FCGI_MAX_REQS. @default 4096 */
  maxRequests?: number | undefined
  /** Serve several requests of a connection concurrently; otherwise further ones get CANT_MPX_CONN. Reported as FCGI_MPXS_CONNS. @default true */
  multiplex?: boolean | undefined
  /** Maximum number of params of a request; more are answered with 431. @default 1000 */
  maxParams?: number | undefined
  /** Maximum size of the params of a request in bytes; more are answered with 431. @default 131072 */
  maxParamsSize?: number | undefined
  /** Maximum size of a request body in bytes, 0: no limit; more are answered with 413. @default 0 */
  maxBodySize?: number | undefined
  /** Timeouts of connections. */
  timeouts?: Partial<ServerTimeouts> | undefined
  /**
   * IP addresses that may connect over TCP; all other connections, unix sockets included, are closed
   * (FastCGI 1.0 §3.2). @default the list in FCGI_WEB_SERVER_ADDRS; if that is not set, any
   */
  webServerAddresses?: readonly string[] | undefined
  /**
   * Accept connections with TLS only. With `ca`, only web servers with a certificate of that authority are accepted. A
   * handshake that fails, or takes longer than `timeouts.params`, is an event `clientError`. @default none
   */
  tls?: TLSOptions | undefined
}

type Plain = Omit<ServerOptions, 'timeouts' | 'tls' | 'webServerAddresses'>

/** {@link ServerOptions} with every default filled in. */
export type Settings = {
  readonly [K in keyof Plain]-?: Exclude<Plain[K], undefined>
} & {
  readonly timeouts: ServerTimeouts
  readonly tls: SecureContextOptions | undefined
  /** Undefined: any peer may connect. */
  readonly webServerAddresses: ReadonlySet<string> | undefined
}

const TIMEOUTS: ServerTimeouts = {
  params: 60_000,
  body: 60_000,
  write: 60_000,
  idle: 0,
  linger: 2000,
}
const NUMBERS = {
  maxConnections: 4096,
  maxRequests: 4096,
  maxParams: 1000,
  maxParamsSize: 131_072,
  maxBodySize: 0,
}
const NAMES = [...Object.keys(NUMBERS), 'multiplex', 'timeouts', 'tls', 'webServerAddresses']

// setTimeout() fires after 1 ms for a delay that is longer than this.
const MAX_TIMER = 2_147_483_647

/** Checks options and fills in defaults. @throws OptionError that names the option and its valid values. */
export function serverSettings(options: ServerOptions): Settings {
  for (const name of Object.keys(options))
    if (!NAMES.includes(name))
      throw invalid(`unknown option ${name}; there are ${NAMES.join(', ')}`)
  const { multiplex = true, webServerAddresses = addressesOfEnvironment() } = options
  if (typeof multiplex !== 'boolean') throw invalid('option multiplex must be true or false')
  return {
    ...wholeNumbers('option ', NUMBERS, options, Number.MAX_SAFE_INTEGER),
    multiplex,
    timeouts: wholeNumbers('option timeouts.', TIMEOUTS, options.timeouts ?? {}, MAX_TIMER),
    tls: options.tls && tlsSettings(options.tls),
    webServerAddresses: webServerAddresses && new Set(webServerAddresses.map(normalAddress)),
  }
}

/** Checks the option `tls`, and that certificate and key go together. */
function tlsSettings(given: TLSOptions): SecureContextOptions {
  const unknown = Object.keys(given).find((name) => !['cert', 'key', 'ca'].includes(name))
  if (unknown !== undefined) throw invalid(`unknown option tls.${unknown}; there are cert, key, ca`)
  const { cert, key, ca } = given
  if (!cert || !key) throw invalid('option tls needs both cert and key')
  const authorities = ca === undefined ? {} : { ca: [ca].flat() as Array<string | Buffer> }
  const settings: SecureContextOptions = { cert, key, ...authorities, minVersion: 'TLSv1.2' }
  try {
    createSecureContext(settings)
  } catch (error) {
    throw invalid(`option tls: a certificate or key cannot be used: ${(error as Error).message}`)
  }
  return settings
}

/** Normalises an IP address for comparison: IPv4-mapped IPv6 addresses become IPv4. */
export function normalAddress(address: string): string {
  return address
    .trim()
    .toLowerCase()
    .replace(/^::ffff:(?=\d+\.)/, '')
}

function addressesOfEnvironment(): string[] | undefined {
  return process.env.FCGI_WEB_SERVER_ADDRS?.split(',').filter((address) => address.trim() !== '')
}

/** Merges given values into the defaults; checks that they are whole numbers, and 0 only for `maxBodySize` and timeouts. */
function wholeNumbers<T extends object>(
  prefix: string,
  defaults: T,
  given: object,
  most: number,
): T {
  const values = { ...defaults }
  for (const [name, value] of Object.entries(given)) {
    if (!(name in defaults)) {
      if (prefix.endsWith('.')) throw invalid(`unknown ${prefix}${name}`)
      continue
    }
    if (value === undefined) continue
    const least = prefix.endsWith('.') || name === 'maxBodySize' ? 0 : 1
    if (!Number.isSafeInteger(value) || Number(value) < least || Number(value) > most)
      throw invalid(
        `${prefix}${name} must be a whole number, ${least} to ${most}; got ${String(value)}`,
      )
    Object.assign(values, { [name]: value })
  }
  return values
}

function invalid(message: string): OptionError {
  return new OptionError(`createServer: ${message}`)
}
