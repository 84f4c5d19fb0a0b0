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
import { absolute, extension, type GatewayOptions, sharedChecks, urlPath } from '../options.ts'
import { PHASE_NAMES, type Phase } from './phases.ts'

/** Decisions that are remembered. */
export interface DecisionCacheOptions<Source = IncomingMessage> {
  /**
   * What a decision depends on, as text: for instance the session cookie and the path. Only the application knows, so
   * there is no default. Requests of one key get one decision; undefined asks the application. A password is part of the
   * key of an authenticator in any case.
   */
  key: (request: Source) => string | undefined
  /** Milliseconds a decision holds. @default 10000 */
  ttl?: number | undefined
  /** Most decisions kept; the one that was not needed for the longest goes first. @default 1000 */
  max?: number | undefined
}

type Shared =
  | 'upstream'
  | 'clusters'
  | 'root'
  | 'remoteRoot'
  | 'env'
  | 'serverName'
  | 'passHeaders'
  | 'stripRequestUri'
  | 'maxParamsSize'
  | 'logger'

/** Options of an authorizer. `Source` is the framework's request. Those of connections are the same as of a gateway. */
export interface AuthorizerOptions<Source = IncomingMessage>
  extends Pick<GatewayOptions<Source>, Shared>,
    PoolOptions {
  /**
   * Paths to ask about, each an ending such as `'.php'` or a prefix such as `'/private/'` (lighttpd `fastcgi.server`).
   * They are compared with the decoded path below the mount point, as `fastcgiProxy` sees it, so no spelling gets around
   * them; letters are compared without case. Endings also mean every path with a slash at its end, for which a script may stand;
   * of a front controller a guard knows nothing: protect it by prefixes. @default all
   */
  match?: string | readonly string[] | undefined
  /**
   * The script that decides, below `root`, e.g. `'/authorize.php'`: sent as SCRIPT_FILENAME. Needed for PHP; without it
   * SCRIPT_FILENAME is the file that the request is about, as with lighttpd.
   */
  script?: string | undefined
  /**
   * Phase of mod_fastcgi (`FastCgiAccessChecker`, `FastCgiAuthenticator`, `FastCgiAuthorizer`); sent as FCGI_APACHE_ROLE. An
   * authenticator gets REMOTE_USER and REMOTE_PASSWD from Basic authentication, which clients are asked for.
   * @default none: an authorizer of the FastCGI specification (§6.3)
   */
  phase?: Phase | undefined
  /** What clients are asked to log in to, for the phase `'authenticator'` (Apache `AuthName`). @default 'Restricted' */
  realm?: string | undefined
  /**
   * True goes by the specification: only `Variable-` fields of a yes become variables, and a no is passed on as it is.
   * False does as mod_fastcgi without `-compat`: every field becomes one, a no is 403 or 401 without its body.
   * @default true
   */
  compat?: boolean | undefined
  /**
   * False passes a no on to the next guard of the list (mod_fastcgi `FastCgiAuthorizerAuthoritative Off`), which has to be of
   * the same phase; of such guards and the one behind them the first yes counts, and the last guard of a list has the last
   * word. A guard that fails is no such no: it denies. @default true
   */
  authoritative?: boolean | undefined
  /**
   * Let requests through when the guard cannot be asked: it is down, too slow, or answers garbage. Think twice.
   * @default false: 503
   */
  failOpen?: boolean | undefined
  /** Send an empty STDIN, as mod_fastcgi and lighttpd do, mod_fcgid and mod_authnz_fcgi do not. @default true */
  sendStdin?: boolean | undefined
  /**
   * Absolute path of a directory whose files are served after a yes (lighttpd `docroot`); never dotfiles, never the source
   * of PHP. What is no file goes on. @default none
   */
  docroot?: string | undefined
  /**
   * Header fields to take off a request that was let through, before anybody else sees them: true takes those that would
   * become HTTP_ and the name of a variable, which some applications mistake for the variable itself; an array names
   * further ones, for guards that do not always set their variables. @default true
   */
  stripHeaders?: boolean | readonly string[] | undefined
  /** Remember decisions: yes, 401 and 403, never failures. @default none */
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
        `${where}, guard ${at + 1}: option authoritative: what it does not decide is for another guard of the same phase, ` +
          `but the next one is of phase ${guards[at + 1]?.phase}: of these two a yes of the first would be enough`,
      )
  if (guards.at(-1)?.authoritative === false)
    throw new OptionError(
      `${where}: option authoritative: a no of the last guard can be passed on to nobody; ` +
        'give a list of guards that ends with an authoritative one',
    )
}

function checkTogether(who: string, options: AuthorizerOptions<never>): void {
  if (
    options.script !== undefined &&
    options.root === undefined &&
    options.remoteRoot === undefined
  )
    throw new OptionError(`${who}: option script needs root, the directory that it is in`)
  if (options.realm !== undefined && options.phase !== 'authenticator')
    throw new OptionError(`${who}: option realm is for phase: 'authenticator'`)
  if (options.cache !== undefined && options.cache.key === undefined)
    throw new OptionError(`${who}: option cache needs key, a function of the request`)
}
