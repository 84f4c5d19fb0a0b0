// Asks the guards of a gateway about the paths and scripts of its requests, whichever way the request came.

import type { IncomingMessage } from 'node:http'
import { OptionError } from '@fastcgi/client'
import type { Gateway } from '../gateway.ts'
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

  /** @throws OptionError */
  constructor(where: string, options: ReadonlyArray<GuardOptions<Source>>) {
    const owned: Array<Gateway<Source>> = []
    this.#guards = options.map(({ match, authorizer }, at) => {
      const made = authorizerOf(`${where}, guards[${at}]`, authorizer)
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
    const { mount, path, chain } = routed
    if (this.#guards.length === 0 && routed.request.placedGuards === undefined) {
      allowed()
      return
    }
    const bypassed = missingGuards(routed.request, mount + path)
    const matching = this.#guards.filter(({ patterns }) => patterns.covers(path))
    if (bypassed.length + matching.length === 0) allowed()
    else if (
      bypassed.length > 0 &&
      chain === undefined &&
      !isSpelledAs(routed.target, mount + path)
    )
      this.#sendToNormalizedPath(routed)
    else {
      // After an internal redirect the URL is not what is asked about.
      const request =
        chain === undefined ? routed.request : { ...routed.request, script: encodePath(path) }
      const pending = bypassed.map((placed) => ({
        authorizer: placed.authorizer as Gateway<Source>,
        request: { ...request, mount: encodePath(placed.mount) },
      }))
      const own = matching.map(({ authorizer }) => ({ authorizer, request }))
      this.#ask(routed, [...pending, ...own], allowed)
    }
  }

  /** Asks about a script or file that the path of a request leads to. */
  checkTarget(routed: RoutedRequest<Source>, script: string, allowed: () => void): void {
    if (script === routed.path) {
      allowed()
      return
    }
    const { request, mount, path } = routed
    const ask = { ...request, script: encodePath(script) }
    const pending: Array<Pending<Source>> = missingGuards(request, mount + script).map(
      (placed) => ({
        authorizer: placed.authorizer as Gateway<Source>,
        request: ask,
      }),
    )
    for (const [authorizer, at] of grantsOf(request.req) ?? [])
      if (authorizer.coversOnly(below(mount + script, at), below(mount + path, at)))
        pending.push({ authorizer: authorizer as unknown as Gateway<Source>, request: ask })
    for (const { patterns, authorizer } of this.#guards)
      if (patterns.covers(script) && !patterns.covers(path))
        pending.push({ authorizer, request: ask })
    this.#ask(routed, pending, allowed)
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

  /** The framework takes the normalized path to the guard; a redirect with 308 keeps method and body. */
  #sendToNormalizedPath(routed: RoutedRequest<Source>): void {
    const { mount, path, target } = routed
    const location = encodePath(mount + path)
    const query = target.query === '' ? '' : `?${target.query}`
    const response: GatewayResponse = {
      status: 308,
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

const NONE: readonly PlacedGuard[] = []

function below(path: string, mount: string): string {
  return mount !== '' && path.startsWith(mount) ? path.slice(mount.length) || '/' : path
}

function authorizerOf<Source = IncomingMessage>(
  where: string,
  given: AuthorizerOptions<Source> | Gateway<Source>,
): Gateway<Source> {
  if (!('handle' in given)) return createAuthorizer(given, where)
  if (typeof (given as Partial<PathAuthorizer>).coversOnly === 'function') return given
  throw new OptionError(
    `${where}: option authorizer must be the options of an authorizer, or what createAuthorizer() returns`,
  )
}
