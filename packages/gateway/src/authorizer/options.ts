// Options of an authorizer and their checks.

import type { IncomingMessage } from 'node:http'
import { OptionError, type PoolOptions } from '@fastcgi/client'
import {
  anyOf,
  type Checks,
  callable,
  checkOptions,
  flag,
  integer,
  listOf,
  milliseconds,
  oneOf,
  shape,
} from '@fastcgi/client/internal'
import { isStrippable } from '../environment/request-variables.ts'
import {
  absolute,
  extension,
  type RouteOptions,
  type SharedOptions,
  sharedChecks,
  urlPath,
} from '../options.ts'
import { PHASE_NAMES, type Phase } from './phases.ts'

/** Options of the decision cache of an authorizer. */
export interface DecisionCacheOptions<Source = IncomingMessage> {
  /**
   * Returns all that a decision depends on, as text: for instance the session cookie and the path. Requests with the same key
   * get the same decision; for undefined the application is asked and nothing is cached. Required. In the phase
   * `'authenticator'` the credentials are always part of the key.
   */
  key: (request: Source) => string | undefined
  /** Milliseconds that a decision is kept, over 0. @default 10000 */
  ttl?: number | undefined
  /** Maximum number of decisions, 1 to 1000000; the least recently used is dropped first. @default 1000 */
  max?: number | undefined
}

type Shared =
  | 'upstream'
  | 'root'
  | 'remoteRoot'
  | 'env'
  | 'serverName'
  | 'passHeaders'
  | 'reserveParams'
  | 'stripRequestUri'

/**
 * Options of one guard of an authorizer; connection options are those of a gateway. `Source` is the framework's request.
 */
export interface AuthorizerOptions<Source = IncomingMessage>
  extends Pick<RouteOptions<Source>, Shared>,
    SharedOptions,
    Omit<PoolOptions, 'timeouts'> {
  /**
   * Paths to ask about, each an extension such as `'.php'` or a prefix such as `'/private/'` (lighttpd `fastcgi.server`).
   * They are compared with the decoded path below the mount point, without case, so that no other spelling of a path
   * bypasses the guard. An extension also matches every path with a slash at its end, because its index file may be such a
   * script. A gateway that runs the request afterwards also asks about the script that the path leads to. @default all paths
   */
  match?: string | readonly string[] | undefined
  /**
   * Path of the script that decides, below `root`, e.g. `'/authorize.php'`; sent as SCRIPT_FILENAME. Required for PHP. Without
   * it, SCRIPT_FILENAME is the requested file, as with lighttpd.
   */
  script?: string | undefined
  /**
   * Phase of mod_fastcgi (`FastCgiAccessChecker`, `FastCgiAuthenticator`, `FastCgiAuthorizer`); sent as FCGI_APACHE_ROLE. An
   * authenticator gets REMOTE_USER and REMOTE_PASSWD from Basic authentication; a client without credentials gets 401.
   * @default none: an authorizer of the FastCGI specification (§6.3)
   */
  phase?: Phase | undefined
  /**
   * Realm of the challenge in the phases `'authenticator'` and `'authorizer'` (Apache `AuthName`); printable ASCII.
   * @default 'Restricted'
   */
  realm?: string | undefined
  /**
   * True follows FastCGI 1.0 §6.3: only `Variable-` fields of a response that allows become variables, and a denial is passed
   * on unchanged. False behaves as mod_fastcgi without `-compat`: every field becomes a variable, and a denial is 403 or 401
   * without its body.
   * @default true
   */
  compat?: boolean | undefined
  /**
   * If false, a denial of this guard leaves the decision to the next guard of the list, which must be of the same phase
   * (mod_fastcgi `FastCgiAuthorizerAuthoritative Off`); so it is enough if one of them allows the request. The last guard of
   * a list must be authoritative. A guard that fails always denies. @default true
   */
  authoritative?: boolean | undefined
  /**
   * Allow requests if the guard fails: it is down, too slow, or sends an invalid response. This opens what the guard protects
   * to anyone who can overload it. @default false: 503
   */
  failOpen?: boolean | undefined
  /** Send an empty STDIN, as mod_fastcgi and lighttpd do; mod_fcgid and mod_authnz_fcgi do not. @default true */
  sendStdin?: boolean | undefined
  /**
   * Absolute path of a directory whose files are served to allowed GET and HEAD requests (lighttpd `docroot`); never dotfiles
   * or PHP source. A request without such a file goes on. @default none
   */
  docroot?: string | undefined
  /**
   * Header fields to remove from an allowed request. True removes the fields whose HTTP_* param is named like a variable that
   * the guard has set, because some applications mistake one for the other. An array names further fields to remove, for
   * guards that do not always set their variables. False removes none. @default true
   */
  stripHeaders?: boolean | readonly string[] | undefined
  /** Cache decisions: allowed, 401 and 403; never failures. @default no cache */
  cache?: DecisionCacheOptions<Source> | undefined
}

const plainText = (value: unknown): string | undefined =>
  typeof value === 'string' && /^[\x20-\x7e]+$/.test(value) ? undefined : 'printable ASCII text'

const strippable = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && isStrippable(value.toLowerCase())
    ? undefined
    : 'the name of a header field that the request can do without'

const pattern = anyOf(extension, urlPath)

const cacheChecks: Checks = {
  key: callable,
  ttl: (value) =>
    milliseconds(value) ?? (value === 0 ? 'milliseconds: a number over 0' : undefined),
  max: integer(1, 1_000_000),
}

const authorizerChecks: Checks = {
  ...sharedChecks,
  match: anyOf(pattern, listOf(pattern)),
  script: urlPath,
  phase: oneOf(...PHASE_NAMES),
  realm: plainText,
  compat: flag,
  authoritative: flag,
  failOpen: flag,
  sendStdin: flag,
  docroot: absolute,
  stripHeaders: anyOf(flag, listOf(strippable)),
  cache: shape(cacheChecks),
}

/** Checks the options of a list of guards; nothing is changed. @throws OptionError */
export function checkAuthorizerOptions(
  where: string,
  guards: ReadonlyArray<AuthorizerOptions<never>>,
): void {
  if (guards.length === 0) throw new OptionError(`${where}: there is no guard in the list`)
  for (const [at, options] of guards.entries()) {
    const who = guards.length === 1 ? where : `${where}, guard ${at + 1}`
    checkOptions(who, options, authorizerChecks)
    checkTogether(who, options)
  }
  for (const [at, { authoritative, phase }] of guards.entries())
    if (authoritative === false && at + 1 < guards.length && guards[at + 1]?.phase !== phase)
      throw new OptionError(
        `${where}, guard ${at + 1}: option authoritative: a guard that is not authoritative must be followed by one of the same phase, ` +
          `but the next guard is of phase ${guards[at + 1]?.phase}`,
      )
  if (guards.at(-1)?.authoritative === false)
    throw new OptionError(
      `${where}: option authoritative: a denial of the last guard can be passed on to nobody; ` +
        'end the list with an authoritative guard',
    )
}

function checkTogether(who: string, options: AuthorizerOptions<never>): void {
  if (
    options.script !== undefined &&
    options.root === undefined &&
    options.remoteRoot === undefined
  )
    throw new OptionError(`${who}: option script needs root, the directory of the script`)
  const { phase } = options
  if (options.realm !== undefined && phase !== 'authenticator' && phase !== 'authorizer')
    throw new OptionError(`${who}: option realm is for phase: 'authenticator' or 'authorizer'`)
  if (options.cache !== undefined && options.cache.key === undefined)
    throw new OptionError(`${who}: option cache needs key, a function of the request`)
}
