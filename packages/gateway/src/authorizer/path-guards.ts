// Asks the guards of a gateway about the paths and scripts of its requests, whichever way the request came.

import type { IncomingMessage } from 'node:http'
import { OptionError } from '@fastcgi/client'
import type { Gateway } from '../gateway.ts'
import type { GatewayLogger } from '../logger.ts'
import type { GatewayRequest, PlacedGuard } from '../request/gateway-request.ts'
import { encodePath, isSpelledAs } from '../request/request-target.ts'
import type { GatewayResponse } from '../response/gateway-response.ts'
import { PathPatterns } from '../script/path-patterns.ts'
import type { RoutedRequest } from '../script/routed-request.ts'
import { createAuthorizer } from './authorizer.ts'
import { grantsOf, type PathAuthorizer } from './granted-requests.ts'
import type { AuthorizerOptions } from './options.ts'

/** The option `guards`, as {@link PathGuards} needs it. */
export interface GuardOptions<Source> {
  readonly match?: string | readonly string[] | undefined
  readonly authorizer: AuthorizerOptions<Source> | Gateway<Source>
}

/** A guard that has to be asked, and the request to ask it with. */
interface Pending<Source> {
  readonly authorizer: Gateway<Source>
  readonly request: GatewayRequest<Source>
}

/**
 * The guards that stand before a gateway. Three kinds are asked before anything is run or sent:
 * - those of the option `guards`;
 * - those that the framework should have asked by its own routing, but did not, because it compares paths as they are spelled;
 * - those that have let the path through and cover the script that it leads to.
 */
export class PathGuards<Source> {
  readonly #guards: ReadonlyArray<{
    readonly patterns: PathPatterns
    readonly authorizer: Gateway<Source>
  }>
  /** Authorizers that were made of options here. */
  readonly #owned: ReadonlyArray<Gateway<Source>>

  /** @param logger of guards that name none. @throws OptionError */
  constructor(
    where: string,
    options: ReadonlyArray<GuardOptions<Source>>,
    logger: GatewayLogger | false | undefined,
  ) {
    const owned: Array<Gateway<Source>> = []
    this.#guards = options.map(({ match, authorizer }, at) => {
      const made = authorizerOf(`${where}, guards[${at}]`, authorizer, logger)
      if (made !== authorizer) owned.push(made)
      return { patterns: new PathPatterns(match), authorizer: made }
    })
    this.#owned = owned
  }

  async close(): Promise<void> {
    await Promise.all(this.#owned.map((authorizer) => authorizer.close()))
  }

  /** The authorizers of the option `guards`. */
  get authorizers(): ReadonlyArray<Gateway<Source>> {
    return this.#guards.map(({ authorizer }) => authorizer)
  }

  /** Asks about the path of a request, and calls `allowed` when every guard has let it through. */
  checkPath(routed: RoutedRequest<Source>, allowed: () => void): void {
    const { request, mount, path, target, chain } = routed
    const hasGuards = this.#guards.length > 0 || request.placedGuards !== undefined
    if (!hasGuards && chain === undefined) {
      allowed()
      return
    }
    const whole = mount + path
    const matching = this.#guards.filter(({ patterns }) => patterns.covers(path))
    if (chain !== undefined) {
      // The application could name any path, so every guard is asked, also one that has let the first path through.
      const before = guardsBefore(request, whole)
      if (before.some(isUnknown)) {
        this.#sendToNormalizedPath(routed)
        return
      }
      const own = matching.map(({ authorizer }) => ({ authorizer, mount }))
      this.#ask(routed, questions(request, [...before, ...own], whole), allowed)
      return
    }
    const isNormal = isSpelledAs(target, whole)
    const bypassed = missingGuards(request, whole).filter((guard) => !isNormal || !isUnknown(guard))
    if (bypassed.length + matching.length === 0) allowed()
    else if (bypassed.length > 0 && !isNormal) this.#sendToNormalizedPath(routed)
    else {
      const own = matching.map(({ authorizer }) => ({ authorizer, request }))
      this.#ask(routed, [...questions(request, bypassed, whole), ...own], allowed)
    }
  }

  /**
   * Asks about a script or file that the path of a request leads to: the guards that have not been asked about the path.
   * @param mount of the target; X-Accel-Redirect is not below the mount point of the request.
   */
  checkTarget(
    routed: RoutedRequest<Source>,
    script: string,
    allowed: () => void,
    mount: string = routed.mount,
  ): void {
    const { request, path } = routed
    const [from, to] = [routed.mount + path, mount + script]
    if (from === to) {
      allowed()
      return
    }
    const placed = missingGuards(request, to).filter((guard) => !isUnknown(guard))
    for (const [authorizer, at] of grantsOf(request.req) ?? [])
      if (isBelow(to, at) && authorizer.coversOnly(below(to, at), below(from, at)))
        placed.push({ authorizer, mount: at })
    for (const { patterns, authorizer } of this.#guards)
      if (patterns.covers(script) && !patterns.covers(path)) placed.push({ authorizer, mount })
    this.#ask(routed, questions(request, placed, to), allowed)
  }

  /** One after the other; the first that answers or fails decides. */
  #ask(
    routed: RoutedRequest<Source>,
    pending: ReadonlyArray<Pending<Source>>,
    allowed: () => void,
    at = 0,
  ): void {
    const next = pending[at]
    if (next === undefined) allowed()
    else
      next.authorizer.handle(next.request, (error, response) => {
        if (error !== undefined || response !== undefined) routed.done(error, response)
        else this.#ask(routed, pending, allowed, at + 1)
      })
  }

  /**
   * The framework takes the normalized path to the guard; a redirect with 308 keeps method and body. What an application has
   * redirected is a GET.
   */
  #sendToNormalizedPath(routed: RoutedRequest<Source>): void {
    const { mount, path, target, chain } = routed
    const location = encodePath(mount + path)
    const query = target.query === '' ? '' : `?${target.query}`
    const response: GatewayResponse = {
      status: chain === undefined ? 308 : 302,
      reason: '',
      headers: ['Location', location + query, 'Content-Length', '0'],
      body: null,
    }
    routed.done(undefined, response)
  }
}

/** Guards that stand at a path and have not let the request through. */
function missingGuards(request: GatewayRequest<unknown>, path: string): readonly PlacedGuard[] {
  const placed = request.placedGuards?.(path)
  if (placed === undefined || placed.length === 0) return NONE
  const grants = grantsOf(request.req)
  return placed.filter(({ authorizer }) => !grants?.has(authorizer as unknown as PathAuthorizer))
}

/** All guards that stand at a path: those that the framework knows, and those that have let the request through. */
function guardsBefore(request: GatewayRequest<unknown>, path: string): PlacedGuard[] {
  const found = [...(request.placedGuards?.(path) ?? NONE)]
  for (const [authorizer, mount] of grantsOf(request.req) ?? [])
    if (!found.some((known) => known.authorizer === authorizer) && isBelow(path, mount))
      found.push({ authorizer, mount })
  return found
}

/** Asks guards about a path in place of that of the URL, each once about the part below the place where it stands. */
function questions<Source>(
  request: GatewayRequest<Source>,
  placed: readonly PlacedGuard[],
  path: string,
): Array<Pending<Source>> {
  const isFirst = ({ authorizer, mount }: PlacedGuard, at: number): boolean =>
    at === placed.findIndex((other) => other.authorizer === authorizer && other.mount === mount)
  return placed.filter(isFirst).map(({ authorizer, mount }) => ({
    authorizer: authorizer as Gateway<Source>,
    request: { ...request, mount: encodePath(mount), script: encodePath(below(path, mount)) },
  }))
}

/** Whether a guard cannot be asked: it is in a part of the framework's app that the adapter does not see. */
function isUnknown({ authorizer }: PlacedGuard): boolean {
  return authorizer === undefined
}

const NONE: readonly PlacedGuard[] = []

/** The part of a path below a mount point, or all of it where it is not below. */
function below(path: string, mount: string): string {
  return isBelow(path, mount) ? `/${path.slice(mount.length + 1)}` : path
}

/** Whether a path is below a mount point, or the mount point itself. A backslash counts as a slash. */
function isBelow(path: string, mount: string): boolean {
  return path.startsWith(mount) && /^[/\\]?$/.test(path.charAt(mount.length))
}

function authorizerOf<Source = IncomingMessage>(
  where: string,
  given: AuthorizerOptions<Source> | Gateway<Source>,
  logger: GatewayLogger | false | undefined,
): Gateway<Source> {
  if (!('handle' in given)) return createAuthorizer({ logger, ...given }, where)
  if (typeof (given as Partial<PathAuthorizer>).coversOnly === 'function') return given
  throw new OptionError(
    `${where}: option authorizer must be the options of an authorizer, or what createAuthorizer() returns`,
  )
}
