// What `fastcgi serve` can be told, by a configuration file, by the environment or on the command line: one table for all.
import {
  anyOf,
  type Check,
  type Checks,
  flag,
  integer,
  listOf,
  milliseconds,
  oneOf,
  shape,
  text,
} from '@fastcgi/client/internal'
import type { GatewayOptions } from '@fastcgi/gateway'
import { gatewayChecks } from '@fastcgi/gateway/internal'
import type { PhpProcessesOptions } from '@fastcgi/process-manager'
import type { UpstreamTLS } from '../upstream-tls.ts'
import { SITE_NAMES, type SiteName } from './site.ts'

/** HTTP frameworks that can serve. */
export const ADAPTERS = ['fastify', 'express', 'http'] as const
const ROUTES = ['.php', '/'] as const
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
const ACCESS_LOGS = ['line', 'combined', 'json'] as const

/** Certificate and key of the server: paths of files in PEM, relative to the configuration file. */
export interface HttpsFiles {
  cert: string
  key: string
}

/**
 * Configuration of `fastcgi serve`: all options of the gateway, and those of the server. Paths of files are relative to the
 * configuration file.
 */
export interface ServeConfig extends Omit<GatewayOptions<never>, 'root' | 'tls'> {
  /** Directory of the site. @default the directory of the command, or public/, web/ or htdocs/ in it */
  root?: string | undefined
  /** `HOST:PORT` or `PORT` to listen on. @default 127.0.0.1, and the first free port from 8080 on */
  listen?: string | number | undefined
  /** Port on 127.0.0.1, instead of `listen`; 0 for any free one. */
  port?: number | undefined
  /** HTTP framework. @default 'fastify' */
  adapter?: (typeof ADAPTERS)[number] | undefined
  /** `'.php'`: scripts, and files beside them; `'/'`: every path goes to the application. @default '.php' */
  route?: (typeof ROUTES)[number] | undefined
  /** Kind of site, whose options are the defaults. @default recognized by its files */
  site?: SiteName | undefined
  /** Node processes that serve on the same port, 1 to 256; `'auto'` for one per processor. @default 1 */
  workers?: number | 'auto' | undefined
  /** PHP that is started if there is no `upstream`; `program` is php-fpm or php-cgi, by name or path. */
  php?:
    | (Omit<PhpProcessesOptions, 'group' | 'program'> & { program?: string | undefined })
    | undefined
  /**
   * Proxies in front whose X-Forwarded-* fields are believed: their number, or addresses, networks and `'loopback'`, as
   * Fastify and Express take them. @default none
   */
  trustProxy?: number | string | readonly string[] | undefined
  /** Serve HTTPS with these files, which are read again when they change. @default HTTP */
  https?: HttpsFiles | undefined
  /** Certificates of encrypted upstreams. */
  tls?: UpstreamTLS | undefined
  /** Offer HTTP/2 with `https`; not with Express, which does not know it. @default true */
  http2?: boolean | undefined
  /** Path of the status page, which clients of this machine only may see. @default none */
  statusPage?: string | undefined
  /** How requests are logged: a line for people on stderr; in the combined format or as JSON on stdout. @default 'line' on a terminal */
  accessLog?: boolean | (typeof ACCESS_LOGS)[number] | undefined
  /** What is logged at least. @default 'info' */
  logLevel?: (typeof LEVELS)[number] | undefined
  /** Show causes on error pages. @default true on a terminal that serves a loopback address */
  dev?: boolean | undefined
  /** Milliseconds that running requests may take when it is stopped or reloaded; 0: no limit. @default 10000 */
  grace?: number | undefined
}

/**
 * Gives a configuration file its types: `export default defineConfig({ … })`. Returns the object as it is.
 * @example
 * ```js
 * import { defineConfig } from '@fastcgi/cli'
 *
 * export default defineConfig({ port: 8080, workers: 2 })
 * ```
 */
export function defineConfig(config: ServeConfig): ServeConfig {
  return config
}

const port = integer(0, 65_535)
const file = text
const networks: Check = (value) =>
  typeof value === 'string' && /\D/.test(value)
    ? undefined
    : "an address, a network such as '10.0.0.0/8', or 'loopback'"
const directives: Check = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? undefined
    : 'an object of php.ini directives'

const serveChecks: Checks = {
  root: text,
  listen: anyOf(port, (value) =>
    typeof value === 'string' && parseListen(value) !== undefined
      ? undefined
      : 'HOST:PORT or PORT, such as 127.0.0.1:8080 or [::1]:8080',
  ),
  port,
  adapter: oneOf(...ADAPTERS),
  route: oneOf(...ROUTES),
  site: oneOf(...SITE_NAMES),
  workers: anyOf(oneOf('auto'), integer(1, 256)),
  php: shape({
    program: text,
    workers: integer(1, 10_000),
    ini: directives,
    maxRequests: integer(0),
    user: text,
  }),
  trustProxy: anyOf(integer(1), networks, listOf(networks)),
  https: shape({ cert: file, key: file }),
  tls: shape({ ca: file, cert: file, key: file, servername: text, rejectUnauthorized: flag }),
  http2: flag,
  statusPage: (value) =>
    typeof value === 'string' && /^\/./.test(value) ? undefined : "a path that begins with '/'",
  accessLog: anyOf(flag, oneOf(...ACCESS_LOGS)),
  logLevel: oneOf(...LEVELS),
  dev: flag,
  grace: milliseconds,
}

/** Checks of all options, by name. Those of the gateway are its own, but for `root`, which may be relative here, and `tls`, which names files. */
export const CONFIG_CHECKS: Checks = { ...gatewayChecks, ...serveChecks }

/** Parses `HOST:PORT` or `PORT`; undefined if it is neither. */
export function parseListen(text: string): { host: string; port: number } | undefined {
  const match = /^(?:([\w.-]+|\[[\da-f:.]+(?:%\w+)?\]):)?(\d{1,5})$/i.exec(text)
  if (match === null || Number(match[2]) > 65_535) return undefined
  const host = (match[1] ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1')
  return { host, port: Number(match[2]) }
}
