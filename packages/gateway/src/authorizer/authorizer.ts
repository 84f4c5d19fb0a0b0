import type { IncomingMessage } from 'node:http'
import type { Dispatcher, DispatcherStats } from '@fastcgi/client'
import { staticFile } from '../files/static-file.ts'
import type { Gateway, NodeHandler } from '../gateway.ts'
import { consoleLogger, type GatewayLogger, reportFailure } from '../logger.ts'
import { createHandler } from '../node-handler.ts'
import { poolOptions } from '../options.ts'
import { offResponseClose, onResponseClose } from '../request/client-disconnect.ts'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { locate } from '../request/request-target.ts'
import type { GatewayCallback, GatewayResponse } from '../response/gateway-response.ts'
import { isForbidden, isSourceLike } from '../script/script-path.ts'
import { joinDispatchers } from '../status/dispatchers.ts'
import { statsOf, Upstreams } from '../upstreams.ts'
import { Guard, type Question } from './guard.ts'
import { type AuthorizerOptions, checkAuthorizerOptions } from './options.ts'

/**
 * Makes an authorizer of one guard or of a list, which are asked in order. It has a gateway's face: what it lets through
 * goes to `next`, or, for {@link Gateway.handle}, ends without a response.
 * @throws OptionError
 */
export function createAuthorizer<Source = IncomingMessage>(
  guards: AuthorizerOptions<Source> | ReadonlyArray<AuthorizerOptions<Source>>,
  where = 'createAuthorizer',
): Gateway<Source> {
  const list = Array.isArray(guards) ? guards : [guards]
  checkAuthorizerOptions(where, list)
  return new Authorizer<Source>(where, list)
}

class Authorizer<Source> implements Gateway<Source> {
  readonly handler: NodeHandler
  readonly #guards: ReadonlyArray<Guard<Source>>
  readonly #logger: GatewayLogger | undefined

  constructor(where: string, list: ReadonlyArray<AuthorizerOptions<Source>>) {
    this.#logger = list.find((options) => options.logger !== undefined)?.logger
    this.#guards = list.map((options) => {
      const pool = poolOptions(options as AuthorizerOptions<never>)
      return new Guard(options, new Upstreams(where, pool, options.clusters ?? {}))
    })
    this.handler = createHandler(this as unknown as Gateway)
  }

  handle(request: GatewayRequest<Source>, done: GatewayCallback): void {
    this.#authorize(request).then(
      (response) => done(undefined, response),
      (error) => done(reportFailure(this.#loggerOf(request), request.req, error), undefined),
    )
  }

  async close(): Promise<void> {
    await Promise.all(this.#guards.map((guard) => guard.upstreams.close()))
  }

  get dispatchers(): Readonly<Record<string, Dispatcher>> {
    return joinDispatchers(this.#guards.map(({ upstreams }) => ({ dispatchers: upstreams.all })))
  }

  get stats(): Readonly<Record<string, DispatcherStats>> {
    return statsOf(this.dispatchers)
  }

  async #authorize(request: GatewayRequest<Source>): Promise<GatewayResponse | undefined> {
    const { req, res } = request
    const { target, path } = locate(request.url, request.rewrittenUrl, request.mount)
    const gone = new AbortController()
    const onGone = (): void => gone.abort()
    onResponseClose(req, res, onGone)
    const logger = this.#loggerOf(request)
    const { signal } = gone
    const question = { request, target, path: path ?? target.path, logger, signal }
    return this.#ask(question, path).finally(() => offResponseClose(req, res, onGone))
  }

  /** Asks one guard after the other. Of those without authority and the one behind them the first yes counts. */
  async #ask(
    question: Question<Source>,
    below: string | undefined,
  ): Promise<GatewayResponse | undefined> {
    let docroot: string | undefined
    let state: 'open' | 'allowed' | 'refused' = 'open'
    for (const guard of this.#guards) {
      // A no that was passed on needs somebody who has the last word, whatever he is usually asked about.
      if (state === 'refused' || (state === 'open' && guard.matches(below))) {
        const decision = await guard.ask(question)
        if (decision.allowed) docroot = guard.docroot ?? docroot
        else if (guard.authoritative) return decision.response
        state = decision.allowed ? 'allowed' : 'refused'
      }
      if (guard.authoritative) state = 'open'
    }
    return docroot === undefined || below === undefined
      ? undefined
      : docrootFile(question, docroot, below)
  }

  #loggerOf(request: GatewayRequest<Source>): GatewayLogger {
    return this.#logger ?? request.logger ?? consoleLogger
  }
}

/** A file of a private tree; undefined where there is none of that name, and the request goes on. */
async function docrootFile(
  { request, logger }: Question<unknown>,
  docroot: string,
  path: string,
): Promise<GatewayResponse | undefined> {
  const { req, res } = request
  if (req.method !== 'GET' && req.method !== 'HEAD') return undefined
  if (path.endsWith('/') || isForbidden(path) || isSourceLike(path, [])) return undefined
  return staticFile({ req, res, logger }, { root: docroot, path, option: 'docroot' })
}
