// `deny` and the guards: what a request must pass before anything is looked up, run or sent.

import type { IncomingMessage } from 'node:http'
import { PathDeniedError } from '../errors.ts'
import type { GatewayLogger } from '../logger.ts'
import type { GatewayCallback, GatewayResponse } from '../response/gateway-response.ts'
import { DeniedPaths } from '../script/denied-paths.ts'
import type { RoutedRequest } from '../script/routed-request.ts'
import type { Resolution } from '../script/script-resolver.ts'
import type { ScriptRoute } from '../script/script-route.ts'
import { type GuardOptions, PathGuards } from './path-guards.ts'

/** The options of a gateway that say what is denied and guarded. */
export interface PathCheckOptions<Source> {
  readonly deny?: readonly string[] | undefined
  readonly guards?: ReadonlyArray<GuardOptions<Source>> | undefined
  /** Logger of guards that name none. */
  readonly logger?: GatewayLogger | false | undefined
}

/** Applies the options `deny` and `guards` to the path of a request, and to what it leads to. */
export class PathChecks<Source = IncomingMessage> {
  readonly #denied: DeniedPaths
  readonly #guards: PathGuards<Source>

  /** @throws OptionError */
  constructor(where: string, { deny = [], guards = [], logger }: PathCheckOptions<Source>) {
    this.#denied = new DeniedPaths(deny)
    this.#guards = new PathGuards(where, guards, logger)
  }

  /** Ends the authorizers that were made of options. */
  close(): Promise<void> {
    return this.#guards.close()
  }

  /** Checks the path that a client names, before anything is looked up. */
  checkPath(routed: RoutedRequest<Source>, allowed: () => void): void {
    if (!this.#isDenied(routed, routed.path)) this.#guards.checkPath(routed, allowed)
  }

  /** Checks the script or file that the path leads to. */
  checkTarget(
    routed: RoutedRequest<Source>,
    route: ScriptRoute<Source>,
    found: Resolution,
    allowed: () => void,
  ): void {
    const file = found.kind === 'script' ? found.script : found.kind === 'file' ? found.path : ''
    if (file === '' || routed.request.script !== undefined) {
      allowed()
      return
    }
    // Rules for names, such as '*.php', say what clients may not ask for; the front controller is named by the options.
    const byName = !('isFrontController' in found)
    const check = (name: string, next: () => void): void => {
      if (name === routed.path || !this.#isDenied(routed, name, byName))
        this.#guards.checkTarget(routed, name, next)
    }
    const mapped = found.kind === 'script' ? route.mappedName(file) : undefined
    check(file, mapped === undefined ? allowed : () => check(mapped, allowed))
  }

  /**
   * Checks a path that an application names. Resolves with the answer of a guard that does not let it through.
   * @throws PathDeniedError
   */
  async checkLocation(
    routed: RoutedRequest<Source>,
    path: string,
  ): Promise<GatewayResponse | undefined> {
    const rule = this.#denied.find(path)
    if (rule !== undefined) throw new PathDeniedError(path, rule)
    return new Promise((resolve, reject) => {
      const done: GatewayCallback = (error, response) =>
        error === undefined ? resolve(response) : reject(error)
      this.#guards.checkTarget({ ...routed, done }, path, () => resolve(undefined), '')
    })
  }

  /** Refuses a path that `deny` covers, and says whether it does. */
  #isDenied(routed: RoutedRequest<Source>, path: string, byName = true): boolean {
    const rule = this.#denied.find(path, byName)
    if (rule === undefined) return false
    const error = new PathDeniedError(path, rule)
    routed.done(routed.logger.failure(error), undefined)
    return true
  }
}
