import { FastCGIError } from '@fastcgi/protocol'

/** An option, switch or address has a value it cannot have, or a name nobody knows. Thrown where it is given. */
export class OptionError extends FastCGIError {
  constructor(message: string) {
    super('FCGI_OPTION', message)
  }
}

/** When to give up on a web server that does not move; milliseconds, 0 for no limit. */
export interface ServerTimeouts {
  /** From BEGIN_REQUEST to the end of PARAMS, and for the rest of a record that has begun. @default 60000 */
  params: number
  /** Between two pieces of a body that the listener waits for. @default 60000 */
  body: number
  /** For output that is not taken. @default 60000 */
  write: number
  /** For a connection without a request. The web server closes those it does not need. @default 0 */
  idle: number
  /** For the web server to close a connection that carries no more requests. @default 2000 */
  linger: number
}

/** Options of `createServer`. */
export interface ServerOptions {
  /** Most connections; requests on further ones are refused with OVERLOADED. FCGI_MAX_CONNS. @default 4096 */
  maxConnections?: number | undefined
  /** Most requests at a time; further ones are refused with OVERLOADED. FCGI_MAX_REQS. @default 4096 */
  maxRequests?: number | undefined
  /** Serve several requests of one connection at a time; else CANT_MPX_CONN. FCGI_MPXS_CONNS. @default true */
  multiplex?: boolean | undefined
  /** Most params of a request; more are answered with 431. @default 1000 */
  maxParams?: number | undefined
  /** Most bytes of the params of a request; more are answered with 431. @default 131072 */
  maxParamsSize?: number | undefined
  /** Most bytes of a request body, 0 for no limit; more are answered with 413. @default 0 */
  maxBodySize?: number | undefined
  /** When to give up on a web server that does not move. */
  timeouts?: Partial<ServerTimeouts> | undefined
  /**
   * Addresses that may connect, over TCP; connections from anywhere else, unix sockets included, are closed
   * (FastCGI 1.0 §3.2). @default what FCGI_WEB_SERVER_ADDRS lists, everybody where it is not set
   */
  webServerAddresses?: readonly string[] | undefined
}

type Plain = Omit<ServerOptions, 'timeouts' | 'webServerAddresses'>

/** {@link ServerOptions} with every default filled in. */
export type Settings = {
  readonly [K in keyof Plain]-?: Exclude<Plain[K], undefined>
} & {
  readonly timeouts: ServerTimeouts
  /** Undefined where everybody may connect. */
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
const NAMES = [...Object.keys(NUMBERS), 'multiplex', 'timeouts', 'webServerAddresses']

// setTimeout fires at once for more than this.
const MAX_TIMER = 2_147_483_647

/** Checks options and fills in defaults. @throws OptionError that names the option and what it can be. */
export function serverSettings(options: ServerOptions): Settings {
  for (const name of Object.keys(options))
    if (!NAMES.includes(name)) throw bad(`unknown option ${name}; there are ${NAMES.join(', ')}`)
  const { multiplex = true, webServerAddresses = addressesOfEnvironment() } = options
  if (typeof multiplex !== 'boolean') throw bad('option multiplex must be true or false')
  return {
    ...wholeNumbers('option ', NUMBERS, options, Number.MAX_SAFE_INTEGER),
    multiplex,
    timeouts: wholeNumbers('option timeouts.', TIMEOUTS, options.timeouts ?? {}, MAX_TIMER),
    webServerAddresses: webServerAddresses && new Set(webServerAddresses.map(normalAddress)),
  }
}

/** The address of a peer as it is compared: without the IPv6 form of an IPv4 address. */
export function normalAddress(address: string): string {
  return address
    .trim()
    .toLowerCase()
    .replace(/^::ffff:(?=\d+\.)/, '')
}

function addressesOfEnvironment(): string[] | undefined {
  return process.env.FCGI_WEB_SERVER_ADDRS?.split(',').filter((address) => address.trim() !== '')
}

/** The defaults, with what is given in their place: whole numbers, 0 only where the default or a timeout is 0. */
function wholeNumbers<T extends object>(
  prefix: string,
  defaults: T,
  given: object,
  most: number,
): T {
  const values = { ...defaults }
  for (const [name, value] of Object.entries(given)) {
    if (!(name in defaults)) {
      if (prefix.endsWith('.')) throw bad(`unknown ${prefix}${name}`)
      continue
    }
    if (value === undefined) continue
    const least = prefix.endsWith('.') || name === 'maxBodySize' ? 0 : 1
    if (!Number.isSafeInteger(value) || Number(value) < least || Number(value) > most)
      throw bad(
        `${prefix}${name} must be a whole number, ${least} to ${most}; got ${String(value)}`,
      )
    Object.assign(values, { [name]: value })
  }
  return values
}

function bad(message: string): OptionError {
  return new OptionError(`createServer: ${message}`)
}
