import type { IncomingMessage } from 'node:http'
import { OptionError, type PoolOptions, type Upstream } from '@fastcgi/client'
import {
  anyOf,
  type Check,
  type Checks,
  callable,
  checkOptions,
  flag,
  integer,
  listOf,
  oneOf,
  poolChecks,
  shape,
  text,
} from '@fastcgi/client/internal'
import type { Env } from './environment/request-facts.ts'
import type { GatewayLogger } from './logger.ts'
import type { BufferingOption } from './response/response-buffer.ts'
import type { PathInfoMode } from './script/script-path.ts'
import type { Clusters } from './upstreams.ts'

/** Which files applications may have sent in the place of their body. */
export interface SendfileOptions {
  /** Absolute paths of directories; nothing outside of them is sent, symlinks included (lighttpd `x-sendfile-docroot`). */
  roots: readonly string[]
  /** The path in X-Sendfile is percent-encoded, as with lighttpd; that in X-Sendfile2 always is. @default false */
  decode?: boolean | undefined
}

/** Where scripts are and what they are told. `Source` is the framework's request. */
export interface RouteOptions<Source = IncomingMessage> {
  /**
   * Where the application listens: an address such as `'unix:/run/php/php-fpm.sock'` or `'fcgi://127.0.0.1:9000'`,
   * several of them or `{ members }` for a balancer, `'balancer://name'` for one of `clusters`, a dispatcher that you
   * close, or a function that makes one to be closed with the gateway. Never taken from a request.
   */
  upstream?: Upstream | undefined
  /** Absolute path of the directory the URL paths are looked up in (nginx `root`). Needed unless `checkLocal` is false. */
  root?: string | undefined
  /** What the application calls that directory, when it sees it elsewhere (container; lighttpd `docroot`). @default root */
  remoteRoot?: string | undefined
  /** Send the real path of a `root` that is a symlink, looked up anew every second, so that opcache notices a deploy. @default false */
  resolveRoot?: boolean | undefined
  /** File that stands for a directory, or several, best first; false for none. @default 'index.php' */
  index?: string | readonly string[] | false | undefined
  /** Script that answers whatever is neither script nor file, e.g. `'/index.php'` (nginx `try_files … /index.php`). */
  frontController?: string | undefined
  /** Endings of scripts; only files with one of them are run. An empty array lifts that. @default ['.php'], [] for a generic backend */
  extensions?: readonly string[] | undefined
  /** Further endings, and the one each stands for (lighttpd `fastcgi.map-extensions`): `{ '.php3': '.php' }`. */
  mapExtensions?: Readonly<Record<string, string>> | undefined
  /**
   * Where PATH_INFO begins (Apache `proxy-fcgi-pathinfo`): `'script'` behind the first segment that is a script,
   * `'first-dot'` or `'last-dot'` at the slash behind that dot, `'full'` behind the longest path that is a file, `'all'`
   * makes SCRIPT_NAME the mount point and all the rest PATH_INFO. @default 'script', and 'all' for a generic backend
   */
  pathInfo?: PathInfoMode | undefined
  /**
   * `'fpm'` for PHP; `'generic'` for applications that route by PATH_INFO themselves (Apache `ProxyFCGIBackendType`).
   * Unlike Apache, neither is ever sent a SCRIPT_FILENAME that begins with `proxy:`. @default 'fpm'
   */
  backendType?: 'fpm' | 'generic' | undefined
  /**
   * Look whether the script is a regular file in `root` (lighttpd `check-local`). False sends every path of the route to
   * the application; `root` is then only a name. @default true, false for a generic backend
   */
  checkLocal?: boolean | undefined
  /** Let scripts be symlinks to what is outside of `root`. @default false */
  followSymlinks?: boolean | undefined
  /** Serve files that are no scripts from `root`; never dotfiles, never the source of a script. @default false */
  static?: boolean | undefined
  /**
   * Params to add or replace; null takes one away. As a function it is asked for each request. Wins over everything a
   * request says (nginx `fastcgi_param`, Apache `ProxyFCGISetEnvIf`).
   */
  env?: Env | ((request: Source) => Env) | undefined
  /**
   * Take a response from the application as fast as it comes, and keep what its client does not take yet (nginx
   * `fastcgi_buffering on`): a slow client then does not hold a PHP child. What a client can take is passed on at once all
   * the same. `X-Accel-Buffering: yes` or `no` of a response decides for that response. @default false: backpressure
   */
  buffering?: BufferingOption | undefined
  /**
   * Answer a response that is nothing but `Location: /path` with what is at that path, run as a GET without a body (RFC
   * 3875 §6.2.2), at most ten times in a row. PHP sends a status as well, so its redirects go to the client. False sends
   * them all to the client, as nginx does. @default true
   */
  localRedirect?: boolean | undefined
  /** SERVER_NAME. @default the host the client asked for */
  serverName?: string | undefined
  /** Names of header fields to send although they would be dropped, e.g. `['x_legacy']` (mod_fastcgi `-pass-header`). */
  passHeaders?: readonly string[] | undefined
  /** Append PATH_INFO to SCRIPT_FILENAME, without effect with `remoteRoot` (lighttpd `broken-scriptfilename`). @default false */
  brokenScriptFilename?: boolean | undefined
  /** At the root: SCRIPT_NAME is empty and PATH_INFO the whole path (lighttpd `fix-root-scriptname`). @default false */
  fixRootScriptName?: boolean | undefined
  /** Path prefix to take off REQUEST_URI (lighttpd `strip-request-uri`). */
  stripRequestUri?: string | undefined
  /**
   * Send the files that X-Sendfile, X-LIGHTTPD-send-file and X-Sendfile2 of a response name, in the place of its body
   * (lighttpd `x-sendfile`). Off unless roots are named.
   */
  sendfile?: SendfileOptions | undefined
  /** Name of a param that is 1 where `sendfile` is on, for applications that ask, e.g. `'MOD_X_SENDFILE_ENABLED'`. */
  sendfileParam?: string | undefined
}

/** One of several routes; whatever it does not say, the gateway's options say. */
export interface RouteMatch<Source = IncomingMessage> extends RouteOptions<Source> {
  /** An ending such as `'.php'`, or a path prefix such as `'/cgi/'` (lighttpd `fastcgi.server`). First match wins. */
  match: string
}

/** Options of a gateway: routes, pools, bodies. The same for Fastify, Express and node:http. */
export interface GatewayOptions<Source = IncomingMessage>
  extends RouteOptions<Source>,
    PoolOptions {
  /** Routes by ending or prefix; without them the gateway's options are the one route for all paths. */
  routes?: ReadonlyArray<RouteMatch<Source>> | undefined
  /** Balancers that routes share by name: `upstream: 'balancer://name'` (Apache `<Proxy balancer://name>`). */
  clusters?: Clusters | undefined
  /**
   * Where X-Accel-Redirect of a response may lead (nginx `internal`): path prefixes, each with the absolute path of a
   * directory whose files are sent, `{ '/protected/': '/srv/files' }`, or with the options of a route that is run; what
   * such a route does not say, the gateway's options say.
   */
  accel?: Readonly<Record<string, string | RouteOptions<Source>>> | undefined
  /** Path prefixes that are none of the gateway's (Apache `ProxyPass /path !`). */
  exclude?: readonly string[] | undefined
  /**
   * Paths that no client gets, counted from the mount point: they are answered with 403, be they files, scripts or none
   * (nginx `deny all`). `'/data/'` is that path and all below it, `'README'` a file or directory of this name anywhere;
   * `*` stands for any characters. The decoded path is looked at, without regard to case. Does not concern scripts that
   * your own code names.
   */
  deny?: readonly string[] | undefined
  /**
   * A request body of unknown length is spooled to find it out, streamed without CONTENT_LENGTH (PHP then sees none of
   * it; others read to the end), or refused with 411. @default 'spool'
   */
  unknownLength?: 'spool' | 'stream' | 'reject' | undefined
  /**
   * Take every request body in whole before the application is asked (nginx `fastcgi_request_buffering on`), so that an
   * upload that breaks off never reaches it, and a slow one does not hold it. Bodies up to `spoolMemory` always are.
   * @default false
   */
  spoolBodies?: boolean | undefined
  /** Most bytes of a request body, else 413. @default 1 GiB for what is spooled, no limit for what is streamed */
  maxBodySize?: number | undefined
  /** Bytes of a spooled body kept in memory, the rest goes to a temporary file. @default 65536 */
  spoolMemory?: number | undefined
  /** Directory of temporary files. @default os.tmpdir() */
  spoolDirectory?: string | undefined
  /** Most bytes of all params together, else 431. @default 131072 */
  maxParamsSize?: number | undefined
  /** Where failures and STDERR are reported. @default the framework's logger, else the console */
  logger?: GatewayLogger | undefined
}

const expect =
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
const denied = expect(
  "a path that begins with '/', or a name without slashes",
  (value) => value.startsWith('/') || /^[^/]+$/.test(value),
)
const fileName = expect("a file name, such as 'index.php'", (value) => /^[^/\0]+$/.test(value))

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

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

/** What a route and an authorizer have in common. */
const applicationChecks: Checks = {
  upstream: (value) =>
    typeof value === 'string' || typeof value === 'function' || isObject(value)
      ? undefined
      : "an address such as 'unix:/run/php/php-fpm.sock', a dispatcher, or a function that makes one",
  root: absolute,
  remoteRoot: absolute,
  env,
  serverName: text,
  passHeaders: listOf(text),
  stripRequestUri: urlPath,
}

const routeChecks: Checks = {
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
  static: flag,
  buffering: anyOf(flag, shape({ memory: integer(0), file: integer(0) })),
  localRedirect: flag,
  brokenScriptFilename: flag,
  fixRootScriptName: flag,
  sendfile: (value) => {
    const wanted = shape({ roots: listOf(absolute), decode: flag })(value)
    const { roots } = (value ?? {}) as Partial<SendfileOptions>
    return wanted ?? (roots?.length ? undefined : 'an object that names at least one of roots')
  },
  sendfileParam: expect('the name of a param', (value) => /^[^\0=]+$/.test(value)),
}

/** What a gateway and an authorizer have in common. */
export const sharedChecks: Checks = {
  ...applicationChecks,
  ...poolChecks,
  clusters: (value) => (isObject(value) ? undefined : 'an object of balancers by name'),
  maxParamsSize: integer(1024, 16_777_216),
  logger: (value) =>
    isObject(value) && ['info', 'warn', 'error'].every((l) => !callable(Reflect.get(value, l)))
      ? undefined
      : 'an object with the functions info, warn and error',
}

const gatewayChecks: Checks = {
  ...routeChecks,
  ...sharedChecks,
  routes: (value) => (Array.isArray(value) && value.length > 0 ? undefined : 'an array of routes'),
  accel: (value) =>
    isObject(value) &&
    Object.entries(value).every(([at, to]) => !urlPath(at) && (isObject(to) || !absolute(to)))
      ? undefined
      : "an object such as { '/protected/': '/srv/files' }, each value an absolute path or an object of route options",
  exclude: listOf(urlPath),
  deny: listOf(denied),
  unknownLength: oneOf('spool', 'stream', 'reject'),
  spoolBodies: flag,
  maxBodySize: integer(0),
  spoolMemory: integer(0),
  spoolDirectory: absolute,
}

const matchChecks: Checks = { ...routeChecks, match: anyOf(urlPath, extension) }

/** Checks a gateway's options; the object is not changed. @throws OptionError */
export function checkGatewayOptions(where: string, options: GatewayOptions<never>): void {
  checkOptions(where, options, gatewayChecks)
  for (const [at, route] of (options.routes ?? []).entries()) {
    checkOptions(`${where}, routes[${at}]`, route, matchChecks)
    if (route.match === undefined)
      throw new OptionError(
        `${where}, routes[${at}]: option match is missing; give an ending such as '.php', or a path prefix`,
      )
  }
  for (const [at, to] of Object.entries(options.accel ?? {}))
    if (typeof to !== 'string') checkOptions(`${where}, accel['${at}']`, to, routeChecks)
}

/** Those of a gateway's options that are its pools'. */
export function poolOptions(options: GatewayOptions<never>): PoolOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => Object.hasOwn(poolChecks, name)),
  )
}
