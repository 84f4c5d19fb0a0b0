// createAuthorizer: asks a list of authorizers, in order, whether a request is allowed.

import type { IncomingMessage } from 'node:http'
import type { Dispatcher, DispatcherStats } from '@fastcgi/client'
import { staticFile } from '../files/static-file.ts'
import type { Gateway, NodeHandler } from '../gateway.ts'
import { type GatewayLogger, RequestLogger } from '../logger.ts'
import { createHandler } from '../node-handler.ts'
import { poolOptions } from '../options.ts'
import { offResponseClose, onResponseClose } from '../request/client-disconnect.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { isPipelined, whenFirst } from '../request/pipelined-request.ts'
import { checkRequest } from '../request/request-checks.ts'
import { parseMountedTarget, parseTarget } from '../request/request-target.ts'
import { containedCallback } from '../response/contained-callback.ts'
import type { GatewayCallback, GatewayResponse } from '../response/gateway-response.ts'
import { SendTimeout } from '../response/send-timeout.ts'
import { hasBackslash, isForbidden, isSourceLike } from '../script/forbidden-paths.ts'
import { joinDispatchers } from '../status/join-dispatchers.ts'
import { statsOf, Upstreams } from '../upstreams.ts'
import type { PathAuthorizer } from './granted-requests.ts'
import { addGrant } from './granted-requests.ts'
import { type AuthorizationRequest, Guard } from './guard.ts'
import { type AuthorizerOptions, checkAuthorizerOptions } from './options.ts'

/**
 * Makes an authorizer (FastCGI 1.0 §6.3) of one guard, or of a list of guards that are asked in order. It has the interface
 * of a gateway: an allowed request goes to `next`; `done` of {@link Gateway.handle} is then called without a response.
 * @param guards options of one guard or of several.
 * @param where name of the caller, for messages about wrong options.
 * @throws OptionError
 * @example
 * ```js
 * import { createServer } from 'node:http'
 * import { createAuthorizer } from '@fastcgi/gateway'
 *
 * const guard = createAuthorizer({
 *   upstream: 'unix:/run/php/php-fpm.sock',
 *   root: '/var/www/site',
 *   script: '/authorize.php',
 * })
 * createServer((req, res) => guard.handler(req, res, () => res.end('allowed')))
 * ```
 */
export function createAuthorizer<Source = IncomingMessage>(
  guards: AuthorizerOptions<Source> | ReadonlyArray<AuthorizerOptions<Source>>,
  where = 'createAuthorizer',
): Gateway<Source> {
  const list = Array.isArray(guards) ? guards : [guards]
  checkAuthorizerOptions(where, list)
  return new Authorizer<Source>(where, list)
}

class Authorizer<Source> implements Gateway<Source>, PathAuthorizer {
  readonly handler: NodeHandler
  readonly #guards: ReadonlyArray<Guard<Source>>
  readonly #logger: GatewayLogger | false | undefined
  readonly #sendTimeout: SendTimeout

  constructor(where: string, list: ReadonlyArray<AuthorizerOptions<Source>>) {
    this.#logger = list.find((options) => options.logger !== undefined)?.logger
    const timeouts = list.find((options) => options.timeouts?.send !== undefined)?.timeouts
    this.#sendTimeout = new SendTimeout(timeouts?.send)
    this.#guards = list.map((options) => {
      const pool = poolOptions(options as AuthorizerOptions<never>)
      return new Guard(options, new Upstreams(where, pool, options.clusters ?? {}))
    })
    this.handler = createHandler(this as unknown as Gateway)
  }

  handle(request: GatewayRequest<Source>, callback: GatewayCallback): void {
    const { req, res } = request
    const logger = new RequestLogger(this.#logger ?? request.logger, request)
    const done = containedCallback({ req, res, logger }, callback, this.#sendTimeout)
    const authorize = (error?: Error): void => {
      const answer = error === undefined ? this.#authorize(request, logger) : Promise.reject(error)
      answer.then(
        (response) => done(undefined, response),
        (failure) => done(logger.failure(failure), undefined),
      )
    }
    if (isPipelined(req, res)) whenFirst(req, res, authorize)
    else authorize()
  }

  async close(): Promise<void> {
    await Promise.all(this.#guards.map((guard) => guard.upstreams.close()))
  }

  coversOnly(script: string, path: string): boolean {
    return this.#guards.some((guard) => guard.matches(script) && !guard.matches(path))
  }

  get dispatchers(): Readonly<Record<string, Dispatcher>> {
    return joinDispatchers(this.#guards.map(({ upstreams }) => ({ dispatchers: upstreams.all })))
  }

  get stats(): Readonly<Record<string, DispatcherStats>> {
    return statsOf(this.dispatchers)
  }

  async #authorize(
    request: GatewayRequest<Source>,
    logger: RequestLogger,
  ): Promise<GatewayResponse | undefined> {
    const { req, res } = request
    checkRequest(req)
    const located = parseMountedTarget(request.url, request.rewrittenUrl, request.mount)
    const { target, mount } = located
    // The gateway asks about a script that it has found, not about the path of the URL.
    const path = request.script === undefined ? located.path : parseTarget(request.script).path
    const aborter = new AbortController()
    const onDisconnect = (): void => aborter.abort()
    onResponseClose(req, res, onDisconnect)
    const { signal } = aborter
    const subject = { request, target, path: path ?? target.path, logger, signal }
    try {
      const response = await this.#ask(subject, path)
      if (response === undefined) addGrant(req, this, mount)
      return response
    } finally {
      offResponseClose(req, res, onDisconnect)
    }
  }

  /**
   * Asks one guard after the other. Consecutive guards that are not authoritative form a group with the authoritative one
   * after them; the first of a group that allows the request decides for the group.
   */
  async #ask(
    subject: AuthorizationRequest<Source>,
    below: string | undefined,
  ): Promise<GatewayResponse | undefined> {
    let docroot: string | undefined
    let state: 'open' | 'allowed' | 'refused' = 'open'
    for (const guard of this.#guards) {
      // After a denial that was not authoritative the next guard is asked even if its `match` does not cover the path.
      if (state === 'refused' || (state === 'open' && guard.matches(below))) {
        const decision = await guard.ask(subject)
        if (decision.allowed) docroot = guard.docroot ?? docroot
        else if (guard.authoritative) return decision.response
        state = decision.allowed ? 'allowed' : 'refused'
      }
      if (guard.authoritative) state = 'open'
    }
    return docroot === undefined || below === undefined
      ? undefined
      : docrootFile(subject, docroot, below)
  }
}

/** The response that sends a file of `docroot`; undefined if there is no such file, so that the request goes on. */
async function docrootFile(
  { request, logger }: AuthorizationRequest<unknown>,
  docroot: string,
  path: string,
): Promise<GatewayResponse | undefined> {
  const { req, res } = request
  if (req.method !== 'GET' && req.method !== 'HEAD') return undefined
  if (path.endsWith('/') || hasBackslash(path)) return undefined
  if (isForbidden(path) || isSourceLike(path, [])) return undefined
  return staticFile({ req, res, logger }, { root: docroot, path, option: 'docroot' })
}
