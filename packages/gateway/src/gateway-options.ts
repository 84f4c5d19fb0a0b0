// Options of a gateway, and their checks.

import type { IncomingMessage } from 'node:http'
import { OptionError, type PoolOptions } from '@fastcgi/client'
import {
  anyOf,
  type Check,
  type Checks,
  checkOptions,
  flag,
  integer,
  listOf,
  oneOf,
  shape,
} from '@fastcgi/client/internal'
import type { AuthorizerOptions } from './authorizer/options.ts'
import type { ErrorPageOptions } from './error-page.ts'
import type { Gateway } from './gateway.ts'
import {
  absolute,
  expect,
  extension,
  isObject,
  type RouteMatch,
  type RouteOptions,
  routeChecks,
  type SharedOptions,
  sharedChecks,
  urlPath,
} from './options.ts'

/** An authorizer for some paths of a gateway. */
export interface PathGuard<Source = IncomingMessage> {
  /**
   * Prefixes such as `'/private/'` or extensions such as `'.php'`, below the mount point; they are compared without case with
   * the normalized path, so that no other spelling bypasses the guard. @default all paths
   */
  match?: string | readonly string[] | undefined
  /**
   * The options of an authorizer, which is closed with the gateway, or an authorizer made by `createAuthorizer`, which its
   * maker closes. Required.
   */
  authorizer: AuthorizerOptions<Source> | Gateway<Source>
}

/** Options of a gateway: routes, pools, request bodies. They are the same for Fastify, Express and node:http. */
export interface GatewayOptions<Source = IncomingMessage>
  extends RouteOptions<Source>,
    SharedOptions,
    Omit<PoolOptions, 'timeouts'> {
  /**
   * Authorizers for paths, in order. Each is asked about the normalized path and about the script or file that the path leads
   * to (an index file, the front controller, a script with PATH_INFO, one with an extension of `mapExtensions` under the
   * extension it is treated as), before anything is run or sent; again about the target of a local redirect, and about that
   * of X-Accel-Redirect where it has not been asked about the path. @default none
   */
  guards?: ReadonlyArray<PathGuard<Source>> | undefined
  /** Routes by extension or prefix. @default one route for all paths, made of the gateway's options */
  routes?: ReadonlyArray<RouteMatch<Source>> | undefined
  /**
   * Targets that X-Accel-Redirect of a response may name (nginx `internal`), by path prefix. Each is the absolute path of a
   * directory whose files are sent, `{ '/protected/': '/srv/files' }`, or the options of a route that runs the path; the
   * gateway's options are the defaults of such a route. @default none
   */
  accel?: Readonly<Record<string, string | RouteOptions<Source>>> | undefined
  /**
   * Path prefixes, below the mount point, that the gateway leaves to the framework (Apache `ProxyPass /path !`).
   * @default none
   */
  exclude?: readonly string[] | undefined
  /**
   * Paths, below the mount point, that are answered with 403 whether or not a file is there (nginx `deny all`). `'/data/'` is
   * that path and all below it, `'README'` a file or directory of that name at any depth; `*` matches any characters. The
   * normalized path is compared, ignoring case, and what it leads to: an index file, the front controller, a script with an
   * extension of `mapExtensions` or with PATH_INFO, the target of a local redirect or of X-Accel-Redirect. Entries that are
   * names, such as `'*.php'`, are not compared with the front controller of a path that leads to nothing else (nginx
   * `internal`): clients cannot request it by its name, and its pages work. Entries that are paths are, and deny all its
   * pages. Does not apply to a script that the embedding code names, but to what that script leads to. @default none
   */
  deny?: readonly string[] | undefined
  /**
   * What to do with a request body of unknown length: `'spool'` reads all of it first to find the length, `'stream'` sends it
   * without CONTENT_LENGTH (PHP then reads none of it; other applications read to the end), `'reject'` answers 411.
   * @default 'spool'
   */
  unknownLength?: 'spool' | 'stream' | 'reject' | undefined
  /**
   * Read every request body completely before the request is sent to the application (nginx `fastcgi_request_buffering on`),
   * so that an upload that breaks off never reaches it and a slow one does not occupy it. Bodies of up to `spoolMemory` bytes
   * are always read first. @default false
   */
  spoolBodies?: boolean | undefined
  /**
   * Maximum bytes of a request body; a longer one gets 413 (nginx `client_max_body_size`). @default 1 GiB spooled, no
   * limit streamed
   */
  maxBodySize?: number | undefined
  /**
   * Bytes of a spooled body kept in memory; the rest goes to a temporary file (nginx `client_body_buffer_size`).
   * @default 65536
   */
  spoolMemory?: number | undefined
  /** Absolute path of the directory of temporary files (nginx `client_body_temp_path`). @default os.tmpdir() */
  spoolDirectory?: string | undefined
  /**
   * Answer failures with a page that says what happened: HTML for browsers, text or JSON for clients whose Accept prefers
   * these. With `details: true` it also shows the cause, the script and what to look at, which name addresses and paths: for
   * development only. Otherwise failures go to the error handler of the framework; under node:http they are a short text.
   * @default false
   */
  errorPage?: boolean | ErrorPageOptions | undefined
}

const denied = expect(
  "a path that begins with '/', or a name without slashes",
  (value) => value.startsWith('/') || /^[^/]+$/.test(value),
)
/** Checks of all options of a gateway. */
export const gatewayChecks: Checks = {
  ...routeChecks,
  ...sharedChecks,
  routes: (value) => (Array.isArray(value) && value.length > 0 ? undefined : 'an array of routes'),
  accel: (value) =>
    isObject(value) &&
    Object.entries(value).every(([at, to]) => !urlPath(at) && (isObject(to) || !absolute(to)))
      ? undefined
      : "an object such as { '/protected/': '/srv/files' }, each value an absolute path or an object of route options",
  guards: (value) => (Array.isArray(value) ? undefined : 'an array of { match, authorizer }'),
  exclude: listOf(urlPath),
  deny: listOf(denied),
  unknownLength: oneOf('spool', 'stream', 'reject'),
  spoolBodies: flag,
  maxBodySize: integer(0),
  spoolMemory: integer(0),
  spoolDirectory: absolute,
  errorPage: anyOf(flag, shape({ details: flag })),
}

const guardChecks: Checks = {
  match: anyOf(anyOf(extension, urlPath), listOf(anyOf(extension, urlPath))),
  authorizer: (value) => (isObject(value) ? undefined : 'an object'),
}

const pattern: Check = (value) =>
  value instanceof RegExp && !value.global && !value.sticky
    ? undefined
    : 'a regular expression without the flags g and y'

const matchChecks: Checks = { ...routeChecks, match: anyOf(urlPath, extension, pattern) }

/**
 * Checks a gateway's options without changing the object. @param where name of the caller, for messages. @throws
 * OptionError
 */
export function checkGatewayOptions(where: string, options: GatewayOptions<never>): void {
  checkOptions(where, options, gatewayChecks)
  for (const [at, route] of (options.routes ?? []).entries()) {
    checkOptions(`${where}, routes[${at}]`, route, matchChecks)
    if (route.match === undefined)
      throw new OptionError(
        `${where}, routes[${at}]: option match is missing; give an ending such as '.php', or a path prefix`,
      )
  }
  checkGuards(where, options.guards ?? [])
  for (const [at, to] of Object.entries(options.accel ?? {}))
    if (typeof to !== 'string') checkOptions(`${where}, accel['${at}']`, to, routeChecks)
}

function checkGuards(where: string, guards: ReadonlyArray<PathGuard<never>>): void {
  for (const [at, guard] of guards.entries()) {
    const who = `${where}, guards[${at}]`
    checkOptions(who, guard, guardChecks)
    if (guard.authorizer === undefined)
      throw new OptionError(
        `${who}: option authorizer is missing; give the options of an authorizer, or what createAuthorizer() returns`,
      )
  }
}
