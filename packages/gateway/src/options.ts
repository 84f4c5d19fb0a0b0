// Options of a gateway and of its routes, and their checks.

import type { IncomingMessage } from 'node:http'
import type { PoolOptions, Timeouts, Upstream } from '@fastcgi/client'
import {
  anyOf,
  type Check,
  type Checks,
  callable,
  flag,
  integer,
  listOf,
  milliseconds,
  oneOf,
  poolChecks,
  shape,
  text,
  timeoutChecks,
} from '@fastcgi/client/internal'
import { type CacheOption, cacheCheck } from './cache/options.ts'
import type { Env } from './environment/environment-input.ts'
import { paramName } from './environment/header-params.ts'
import type { GatewayLogger } from './logger.ts'
import type { BufferingOption } from './response/buffered-body.ts'
import {
  type InterceptErrors,
  type ResponseHeaderOptions,
  responseChecks,
} from './response/field-rules.ts'
import type { PathInfoMode } from './script/path-info.ts'
import type { Clusters } from './upstreams.ts'

/** Which files an application may have sent in place of its body. */
export interface SendfileOptions {
  /**
   * Absolute paths of directories. Files outside of them are not sent, not even through symlinks (lighttpd
   * `x-sendfile-docroot`).
   */
  roots: readonly string[]
  /** Whether the path in X-Sendfile is percent-encoded, as with lighttpd; in X-Sendfile2 it always is. @default false */
  decode?: boolean | undefined
}

/** How static files are sent. */
export interface StaticOptions {
  /** Milliseconds that clients and caches may keep a file (nginx `expires`); 0 for as long as it is validated. @default 0 */
  maxAge?: number | undefined
  /** Whether a file never changes as long as it may be kept (RFC 8246), so that clients do not validate it. @default false */
  immutable?: boolean | undefined
  /**
   * Charset of text files, such as `'utf-8'` (nginx `charset`). @default none: the file itself may name one, and a charset in
   * the field would override it
   */
  charset?: string | undefined
  /**
   * Returns further response fields for a file, or other values for fields such as Cache-Control.
   * @param path decoded path below the root, beginning with a slash.
   */
  setHeaders?: ((path: string) => Readonly<Record<string, string>>) | undefined
}

/** Options of a route: the application, its scripts, and their params. `Source` is the framework's request. */
export interface RouteOptions<Source = IncomingMessage> {
  /**
   * The application's address, such as `'unix:/run/php/php-fpm.sock'` or `'fcgi://127.0.0.1:9000'`; several addresses or
   * `{ members }` for a balancer; `'balancer://name'` for one of `clusters`; a dispatcher, which the caller closes; or a
   * function that makes a dispatcher, which is closed with the gateway. Never taken from a request (nginx `fastcgi_pass`).
   */
  upstream?: Upstream | undefined
  /**
   * Absolute path of the directory in which URL paths are looked up (nginx `root`). Required unless `checkLocal` is
   * false.
   */
  root?: string | undefined
  /** The path of `root` as the application sees it, for instance in a container (lighttpd `docroot`). @default root */
  remoteRoot?: string | undefined
  /**
   * Send the real path of a `root` that is a symlink (nginx `$realpath_root`), so that opcache notices a deployment. It is
   * looked up again after a second. @default false
   */
  resolveRoot?: boolean | undefined
  /**
   * Index file of a directory, or several in order of preference; false for none (nginx `index`). @default 'index.php'
   */
  index?: string | readonly string[] | false | undefined
  /**
   * Script for paths that are neither a script nor a file, e.g. `'/index.php'` (nginx `try_files … /index.php`).
   * @default none
   */
  frontController?: string | undefined
  /**
   * Extensions of scripts, in lower case; only files with one of them are run (php-fpm `security.limit_extensions`). An empty
   * array allows any file. @default ['.php'], and [] for a generic backend
   */
  extensions?: readonly string[] | undefined
  /**
   * Further extensions, each with the one it is treated as (lighttpd `fastcgi.map-extensions`): `{ '.php3': '.php' }`.
   */
  mapExtensions?: Readonly<Record<string, string>> | undefined
  /**
   * Where PATH_INFO begins (Apache `proxy-fcgi-pathinfo`, nginx `fastcgi_split_path_info`): `'script'` after the first segment
   * that is a script, `'first-dot'` or `'last-dot'` at the slash after that dot, `'full'` after the longest path that is a
   * file; with `'all'` SCRIPT_NAME is the mount point and PATH_INFO the rest. @default 'script', and 'all' for a generic backend
   */
  pathInfo?: PathInfoMode | undefined
  /**
   * `'fpm'` for PHP; `'generic'` for applications that route by PATH_INFO (Apache `ProxyFCGIBackendType`). Unlike Apache,
   * neither gets a SCRIPT_FILENAME that begins with `proxy:`. @default 'fpm'
   */
  backendType?: 'fpm' | 'generic' | undefined
  /**
   * Check that the script is a regular file in `root` (lighttpd `check-local`). False sends every path of the route to the
   * application without access to the disk. @default true, and false for a generic backend
   */
  checkLocal?: boolean | undefined
  /** Allow symlinks that lead out of `root`, for scripts and static files. @default false */
  followSymlinks?: boolean | undefined
  /** Serve files of `root` that are not scripts; never dotfiles or the source of a script. @default false */
  static?: boolean | StaticOptions | undefined
  /**
   * Params to add or replace; null removes one. A function is called for each request. These values win over all that is
   * taken from the request (nginx `fastcgi_param`, Apache `ProxyFCGISetEnvIf`). An `HTTP_*` param that a function returns, even
   * as undefined, is from then on set by no header field, whether the function sets it for a request or not; see
   * `reserveParams`. Only params of fields that clients choose, such as `HTTP_COOKIE` and `HTTP_AUTHORIZATION`, are left to
   * them where the function does not set them.
   */
  env?: Env | ((request: Source) => Env) | undefined
  /**
   * Read the response as fast as the application sends it, and keep what the client has not read yet in memory and then in a
   * temporary file (nginx `fastcgi_buffering on`), so that a slow client does not occupy a PHP child. Bytes that the client
   * can take are still passed on at once. `X-Accel-Buffering: yes` or `no` in a response overrides the option for that
   * response. @default false: a slow client slows the application down
   */
  buffering?: BufferingOption | undefined
  /**
   * Follow a local redirect (RFC 3875 §6.2.2): if a response consists of `Location: /path` alone, that path is run as a GET
   * without a body and its response is sent; at most ten times per request. PHP also sends a status, so its redirects go to
   * the client. False sends all of them to the client, as nginx does. @default true
   */
  localRedirect?: boolean | undefined
  /**
   * Rules for the fields of the application's responses, and of files that it hands over: `{ hide, set, ignore }`. Responses of
   * authorizers, static files (see `static`) and error pages are not concerned. @default none
   */
  responseHeaders?: ResponseHeaderOptions | undefined
  /**
   * Statuses of the application that become an error: Fastify's error handler, Express's `next(error)`, and for node:http the
   * gateway's own text answer it, in place of the application's body, which is discarded (nginx `fastcgi_intercept_errors` with
   * `error_page`, Apache `ProxyErrorOverride`). True is every status from 400 on; a list names them, 400 to 599. The error, a
   * `GatewayError` with code `FCGI_STATUS`, has the status and the fields that such a status needs: Allow, Content-Range,
   * Proxy-Authenticate, Retry-After, WWW-Authenticate. @default false
   */
  interceptErrors?: InterceptErrors | undefined
  /** SERVER_NAME (nginx `server_name`). @default the host the client asked for */
  serverName?: string | undefined
  /** Names of header fields to send that are dropped by default, e.g. `['x_legacy']` (mod_fastcgi `-pass-header`). */
  passHeaders?: readonly string[] | undefined
  /**
   * `HTTP_*` params that only `env` may set, e.g. `['HTTP_X_USER']`: no header field of a client becomes one of them. Needed
   * where an `env` function leaves a param out of its result for some requests: before it has returned the name once, the
   * gateway cannot know it. @default those that the `env` function has returned so far
   */
  reserveParams?: readonly string[] | undefined
  /**
   * Append PATH_INFO to SCRIPT_FILENAME; no effect with `remoteRoot` (lighttpd `broken-scriptfilename`). @default false
   */
  brokenScriptFilename?: boolean | undefined
  /**
   * For a route that matches `'/'`: SCRIPT_NAME is empty and PATH_INFO the whole path (lighttpd `fix-root-scriptname`).
   * @default false
   */
  fixRootScriptName?: boolean | undefined
  /** Path prefix to remove from REQUEST_URI (lighttpd `strip-request-uri`). @default none */
  stripRequestUri?: string | undefined
  /**
   * Send the file that X-Sendfile, X-LIGHTTPD-send-file or X-Sendfile2 of a response names, in place of its body (lighttpd
   * `x-sendfile`). @default off
   */
  sendfile?: SendfileOptions | undefined
  /**
   * Store what the application allows to be stored, and answer from it (nginx `fastcgi_cache`); an object says more. Routes
   * with the same object share their responses. @default false
   */
  cache?: CacheOption<Source> | undefined
  /** Name of a param that is set to 1 if `sendfile` is on, e.g. `'MOD_X_SENDFILE_ENABLED'`. @default none */
  sendfileParam?: string | undefined
}

/** Timeouts of a gateway in milliseconds: those of its pools, and one that concerns its clients. 0 disables a timeout. */
export interface GatewayTimeouts extends Timeouts {
  /**
   * While bytes of a response wait for the client: until it takes some of them (nginx `send_timeout`). Then its connection or
   * HTTP/2 stream is closed, and the application is released. @default 60000
   */
  send: number
}

/** Options that a gateway and an authorizer have in common, beside those of the application. */
export interface SharedOptions {
  /** Balancers that routes share by name: `upstream: 'balancer://name'` (Apache `<Proxy balancer://name>`). */
  clusters?: Clusters | undefined
  /** Maximum bytes of all params of a request together, 1024 to 16 MiB; more gets 431. @default 131072 */
  maxParamsSize?: number | undefined
  /** Logger of failures and of the application's STDERR; false for none. @default the framework's logger, else the console */
  logger?: GatewayLogger | false | undefined
  /** Timeouts of inactivity: none limits the total duration of a request. */
  timeouts?: Partial<GatewayTimeouts> | undefined
}

/** One of several routes. The gateway's options are the defaults of its own. */
export interface RouteMatch<Source = IncomingMessage> extends RouteOptions<Source> {
  /**
   * An extension such as `'.php'`, a path prefix such as `'/cgi/'` (lighttpd `fastcgi.server`), or a regular expression (nginx
   * `location ~`), which is tested on the normalized path below the mount point, as UTF-8 text. The first match wins. A path of
   * more than 2048 characters matches no regular expression, which bounds the time of those whose time grows with a power of the
   * length; nested repetition such as `(a+)+`, which takes exponential time, is up to you to avoid. Groups have no meaning. Flags
   * `g` and `y` are refused.
   */
  match: string | RegExp
}

export const expect =
  (what: string, test: (value: string) => boolean): Check =>
  (value) =>
    typeof value === 'string' && test(value) ? undefined : what

export const absolute: Check = expect('an absolute path', (value) =>
  /^(\/|[a-z]:[\\/])/i.test(value),
)
export const urlPath: Check = expect("a path that begins with '/'", (value) =>
  value.startsWith('/'),
)
export const extension: Check = expect("an ending such as '.php', in lower case", (value) =>
  /^\.[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(value),
)
const fileName = expect("a file name, such as 'index.php'", (value) => /^[^/\0]+$/.test(value))

export const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const env: Check = (value) => {
  if (typeof value === 'function') return undefined
  if (!isObject(value)) return 'an object of params, or a function that returns one'
  const wrong = Object.entries(value).find(
    ([name, item]) =>
      !/^[^\0=]+$/.test(name) ||
      !(item === null || item === undefined || /^[^\0]*$/.test(String(item))) ||
      (typeof item === 'object') !== (item === null),
  )
  return wrong === undefined
    ? undefined
    : `an object of params, each a string, a number or null without NUL; ${wrong[0]} is not`
}

/** Names of fields, of which no two may become the same param. */
const passHeaders: Check = (value) => {
  const wrong = listOf(text)(value)
  if (wrong !== undefined) return wrong
  const fields = new Set((value as readonly string[]).map((name) => name.toLowerCase()))
  const params = new Set([...fields].map(paramName))
  return params.size === fields.size
    ? undefined
    : 'names of which no two become the same param, as X_Foo and X-Foo do'
}

/** Checks of the options that a route and an authorizer have in common. */
const applicationChecks: Checks = {
  upstream: (value) =>
    typeof value === 'string' ||
    typeof value === 'function' ||
    isObject(value) ||
    (Array.isArray(value) && value.length > 0)
      ? undefined
      : "an address such as 'unix:/run/php/php-fpm.sock', a dispatcher, or a function that makes one",
  root: absolute,
  remoteRoot: absolute,
  env,
  serverName: text,
  passHeaders,
  reserveParams: listOf(
    expect("a param such as 'HTTP_X_USER'", (value) => /^HTTP_[A-Z0-9_]+$/.test(value)),
  ),
  stripRequestUri: urlPath,
}

export const routeChecks: Checks = {
  ...applicationChecks,
  resolveRoot: flag,
  index: anyOf(oneOf(false), fileName, listOf(fileName)),
  frontController: urlPath,
  extensions: listOf(extension),
  mapExtensions: (value) =>
    isObject(value) && [...Object.keys(value), ...Object.values(value)].every((e) => !extension(e))
      ? undefined
      : "an object such as { '.php3': '.php' }",
  pathInfo: oneOf('script', 'first-dot', 'last-dot', 'full', 'all'),
  backendType: oneOf('fpm', 'generic'),
  checkLocal: flag,
  followSymlinks: flag,
  static: anyOf(
    flag,
    shape({
      maxAge: milliseconds,
      immutable: flag,
      charset: expect('the name of a charset', (value) => /^[\w.:-]+$/.test(value)),
      setHeaders: callable,
    }),
  ),
  buffering: anyOf(flag, shape({ memory: integer(0), file: integer(0) })),
  localRedirect: flag,
  cache: cacheCheck,
  ...responseChecks,
  brokenScriptFilename: flag,
  fixRootScriptName: flag,
  sendfile: (value) => {
    const wanted = shape({ roots: listOf(absolute), decode: flag })(value)
    const { roots } = (value ?? {}) as Partial<SendfileOptions>
    return wanted ?? (roots?.length ? undefined : 'an object that names at least one of roots')
  },
  sendfileParam: expect('the name of a param', (value) => /^[^\0=]+$/.test(value)),
}

/** Checks of the options that a gateway and an authorizer have in common. */
export const sharedChecks: Checks = {
  ...applicationChecks,
  ...poolChecks,
  timeouts: shape({ ...timeoutChecks, send: milliseconds }),
  clusters: (value) => (isObject(value) ? undefined : 'an object of balancers by name'),
  maxParamsSize: integer(1024, 16_777_216),
  logger: (value) =>
    value === false ||
    (isObject(value) && ['info', 'warn', 'error'].every((l) => !callable(Reflect.get(value, l))))
      ? undefined
      : 'an object with the functions info, warn and error, or false',
}

/** The gateway's options that are options of its pools. */
export function poolOptions({ timeouts, ...options }: SharedOptions): PoolOptions {
  const ofPools = Object.entries(options).filter(([name]) => Object.hasOwn(poolChecks, name))
  const { send, ...others } = timeouts ?? {}
  return { ...Object.fromEntries(ofPools), timeouts: others }
}
