// The gateway: finds the route of each request, and runs the script, sends the file or follows the redirect it leads to.

import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import type { Dispatcher, DispatcherStats } from '@fastcgi/client'
import { grantsOf } from './authorizer/granted-requests.ts'
import { PathChecks } from './authorizer/path-checks.ts'
import { UnguardedCache } from './authorizer/unguarded-cache.ts'
import { Caches, type GatewayCache } from './cache/caches.ts'
import type { RequestTarget } from './environment/environment-input.ts'
import {
  type ErrorPageOptions,
  errorPageOptions,
  notFoundPage,
  withErrorPage,
} from './error-page.ts'
import { GatewayError } from './error-status.ts'
import { BadRequestError, FileMissingError, RedirectLoopError } from './errors.ts'
import { staticFile } from './files/static-file.ts'
import {
  type InternalLocation,
  type InternalRun,
  mergeKeptFields,
} from './files/x-accel-redirect.ts'
import type { Gateway, NodeHandler } from './gateway.ts'
import { checkGatewayOptions, type GatewayOptions } from './gateway-options.ts'
import { type GatewayLogger, RequestLogger } from './logger.ts'
import { createHandler } from './node-handler.ts'
import { poolOptions, type RouteMatch } from './options.ts'
import type { GatewayRequest } from './request/gateway-request.ts'
import { checkFraming } from './request/message-framing.ts'
import { isPipelined, whenFirst } from './request/pipelined-request.ts'
import { bodyRules } from './request/request-body.ts'
import { checkRequest } from './request/request-checks.ts'
import { belowMount, parseMountedTarget, parseTarget } from './request/request-target.ts'
import { containedCallback } from './response/contained-callback.ts'
import type { GatewayCallback, GatewayResponse } from './response/gateway-response.ts'
import { SendTimeout } from './response/send-timeout.ts'
import { isServerOptions, SERVER_OPTIONS } from './response/server-options.ts'
import { Route } from './route.ts'
import { rawPath, redirectToDirectory } from './script/directory-redirect.ts'
import { latin1 } from './script/document-root.ts'
import { hasBackslash } from './script/forbidden-paths.ts'
import { type InternalRedirect, internalRequest, localTarget } from './script/internal-redirect.ts'
import { reportMissingScript } from './script/missing-script.ts'
import type { RoutedRequest } from './script/routed-request.ts'
import type { Resolution } from './script/script-resolver.ts'
import type { ScriptRoute } from './script/script-route.ts'
import { type FoundScript, type InternalRedirects, ScriptRunner } from './script/script-runner.ts'
import { MountNames } from './status/route-names.ts'
import { statsOf, Upstreams } from './upstreams.ts'

/**
 * Makes a gateway that passes HTTP requests to FastCGI applications.
 * @param where name of the caller, for messages about wrong options.
 * @param prefix path that it is mounted at, for the names of its routes in the status. @default where requests are mounted
 * @throws OptionError
 * @example
 * ```js
 * import { createServer } from 'node:http'
 * import { createGateway } from '@fastcgi/gateway'
 *
 * const gateway = createGateway({ upstream: 'unix:/run/php/php-fpm.sock', root: '/var/www/site' })
 * const server = createServer(gateway.handler)
 * server.on('close', () => gateway.close())
 * server.listen(0, '127.0.0.1', () => server.close())
 * ```
 */
export function createGateway<Source = IncomingMessage>(
  options: GatewayOptions<Source>,
  where = 'createGateway',
  prefix: string | undefined = where === 'createGateway' ? '' : undefined,
): Gateway<Source> {
  return new HTTPGateway(options, where, prefix)
}

const BACKSLASH = 'request path contains a backslash, and is no PATH_INFO'

/** Internal redirects per request (as nginx). */
const MAX_INTERNAL_REDIRECTS = 10

class HTTPGateway<Source> implements Gateway<Source>, InternalRedirects<Source> {
  readonly handler: NodeHandler
  readonly #routes: ReadonlyArray<Route<Source>>
  readonly #exclude: readonly string[]
  readonly #checks: PathChecks<Source>
  readonly #runner: ScriptRunner<Source>
  readonly #logger: GatewayLogger | false | undefined
  readonly #upstreams: Upstreams
  readonly #caches: Caches<Source>
  readonly #unguardedCache: UnguardedCache<Source>
  readonly #sendTimeout: SendTimeout
  readonly #errorPage: ErrorPageOptions | undefined
  readonly #names: MountNames

  constructor(options: GatewayOptions<Source>, where: string, prefix: string | undefined) {
    checkGatewayOptions(where, options)
    const { routes, ...base } = options
    const pool = poolOptions(options as GatewayOptions<never>)
    this.#upstreams = new Upstreams(where, pool, options.clusters ?? {})
    const { maxParamsSize = 131_072, spoolDirectory = tmpdir() } = options
    this.#caches = new Caches(options.logger)
    const locations: Array<InternalLocation<ScriptRoute<Source>>> = []
    const makeRoute = ({ match, ...over }: RouteMatch<Source>): Route<Source> => {
      const route = { ...base, ...over }
      const dispatcher = this.#upstreams.get(route.upstream)
      const context = {
        maxParamsSize,
        spoolDirectory,
        dispatcher,
        locations,
        caches: this.#caches,
      }
      return new Route(where, match, route, context)
    }
    this.#routes = (routes ?? [{ match: '/' }]).map(makeRoute)
    for (const [match, to] of Object.entries(options.accel ?? {})) {
      const target = typeof to === 'string' ? latin1(to) : makeRoute({ ...to, match })
      locations.push({ prefix: latin1(match.replace(/\/$/, '')), target })
    }
    this.#exclude = (options.exclude ?? []).map((path) => latin1(path.replace(/\/$/, '')))
    this.#names = new MountNames(this.#routes, prefix)
    this.#checks = new PathChecks(where, options)
    this.#unguardedCache = new UnguardedCache(this.#routes, options)
    this.#logger = options.logger
    this.#sendTimeout = new SendTimeout(options.timeouts?.send)
    this.#runner = new ScriptRunner(bodyRules(options, spoolDirectory), this)
    const errorPage = errorPageOptions(options.errorPage)
    this.#errorPage = errorPage
    this.handler = createHandler(
      this as unknown as Gateway,
      errorPage && ((req) => notFoundPage(req, errorPage)),
    )
  }

  handle(request: GatewayRequest<Source>, callback: GatewayCallback): void {
    const { req, res } = request
    const logger = new RequestLogger(this.#logger ?? request.logger, request)
    const answer =
      this.#errorPage === undefined ? callback : withErrorPage(callback, req, this.#errorPage)
    const done = containedCallback({ req, res, logger }, answer, this.#sendTimeout)
    if (!isPipelined(req, res)) this.#start(request, logger, done)
    else
      whenFirst(req, res, (error) => {
        if (error === undefined) this.#start(request, logger, done)
        else done(logger.failure(error), undefined)
      })
  }

  #start(request: GatewayRequest<Source>, logger: RequestLogger, done: GatewayCallback): void {
    let target: RequestTarget
    let mount: string
    let path: string | undefined
    try {
      checkFraming(request.req, request.res)
      checkRequest(request.req)
      if (isServerOptions(request)) {
        done(undefined, SERVER_OPTIONS)
        return
      }
      const hit = this.#unguardedCache.hit(request)
      if (hit !== undefined) {
        done(undefined, hit)
        return
      }
      ;({ target, mount, path } = parseMountedTarget(
        request.url,
        request.rewrittenUrl,
        request.mount,
      ))
      if (request.script !== undefined) {
        const inner = parseTarget(latin1(request.script))
        if (request.script.includes('?')) target = { ...target, query: inner.query }
        path = inner.path
        mount = ''
      }
    } catch (error) {
      done(logger.failure(error), undefined)
      return
    }
    if (request.script === undefined) this.#names.learn(mount)
    if (path === undefined || this.#isExcluded(path)) {
      done(undefined, undefined)
      return
    }
    const { method = 'GET' } = request.req
    const routed = { request, logger, method, target, mount, path, done }
    // `deny` is about paths that clients name, not about a script that the embedding code names.
    if (request.script === undefined) this.#checks.checkPath(routed, () => this.#route(routed, 0))
    else this.#route(routed, 0)
  }

  async close(): Promise<void> {
    await Promise.all([this.#checks.close(), this.#upstreams.close()])
  }

  get dispatchers(): Readonly<Record<string, Dispatcher>> {
    return this.#upstreams.all
  }

  get cache(): GatewayCache | undefined {
    return this.#caches.isEmpty ? undefined : this.#caches
  }

  get stats(): Readonly<Record<string, DispatcherStats>> {
    return statsOf(this.dispatchers)
  }

  // ---- routing

  #isExcluded(path: string): boolean {
    return this.#exclude.some((prefix) => belowMount(path, prefix) !== undefined)
  }

  /**
   * Resolves the path on one route after the other, from index `at` on. Without a match the request is not the
   * gateway's.
   */
  #route(routed: RoutedRequest<Source>, at: number): void {
    const route = this.#routes[at]
    if (route === undefined) {
      reportMissingScript(routed, this.#routes)
      if (hasBackslash(routed.path)) this.#refuse(routed, new BadRequestError(BACKSLASH))
      else routed.done(undefined, undefined)
      return
    }
    const resolution = route.resolve(routed.path)
    if (resolution instanceof Promise)
      resolution.then(
        (found) => this.#handleResolution(routed, route, found, at),
        (error) => this.#refuse(routed, error),
      )
    else this.#handleResolution(routed, route, resolution, at)
  }

  #handleResolution(
    routed: RoutedRequest<Source>,
    route: Route<Source>,
    found: Resolution,
    at: number,
  ): void {
    const { method, logger } = routed
    logger.route = route.label(routed.mount)
    // The mount point without a slash at its end is a directory, too.
    const bare = routed.mount !== '' && routed.path === '/' && !rawPath(routed).endsWith('/')
    if ('isIndex' in found && bare) redirectToDirectory(routed)
    else if (found.kind === 'script')
      this.#checks.checkTarget(routed, route, found, () => this.#runScript(routed, route, found))
    else if (found.kind === 'directory') redirectToDirectory(routed)
    else if (found.kind === 'file' && (method === 'GET' || method === 'HEAD'))
      this.#checks.checkTarget(routed, route, found, () =>
        this.#sendFile(routed, route, found.path),
      )
    else this.#route(routed, at + 1)
  }

  /** Runs a script, or answers from the cache. An internal redirect is not cached: its URL is not what the client asked for. */
  #runScript(routed: RoutedRequest<Source>, route: Route<Source>, found: FoundScript): void {
    const run = (each: RoutedRequest<Source>): void => this.#runner.run(each, route, found)
    const isPersonal = route.hasOwnParams || grantsOf(routed.request.req) !== undefined
    if (route.cache === undefined || routed.chain !== undefined) run(routed)
    else route.cache.serve(routed, isPersonal, run)
  }

  #sendFile(routed: RoutedRequest<Source>, route: ScriptRoute<Source>, path: string): void {
    const { req, res } = routed.request
    const give = (response: GatewayResponse | undefined): void => {
      if (response !== undefined || !this.#resolveAnew(routed, route))
        routed.done(undefined, response)
    }
    const refuse = (error: unknown): void => {
      if (!this.#resolveAnew(routed, route)) this.#refuse(routed, error)
    }
    let response: GatewayResponse | Promise<GatewayResponse | undefined>
    try {
      response = staticFile({ req, res, logger: routed.logger }, route.staticFile(path))
    } catch (error) {
      refuse(error)
      return
    }
    if (response instanceof Promise) response.then(give, refuse)
    else give(response)
  }

  /** Resolves the path again, once, because what it led to a moment ago is not there any more; false if that is no use. */
  #resolveAnew(routed: RoutedRequest<Source>, route: ScriptRoute<Source>): boolean {
    if (routed.chain !== undefined || routed.isResolvedAnew || !route.forget(routed.path))
      return false
    this.#route({ ...routed, isResolvedAnew: true }, 0)
    return true
  }

  // ---- internal redirects

  checkLocation(routed: RoutedRequest<Source>, path: string): Promise<GatewayResponse | undefined> {
    return this.#checks.checkLocation(routed, path)
  }

  async rerun(
    routed: RoutedRequest<Source>,
    to: InternalRun<ScriptRoute<Source>>,
  ): Promise<GatewayResponse> {
    const { route, path } = to
    const found = await route.resolve(path)
    const response = await this.#redirectInternally(
      routed,
      { ...to, mount: '', option: 'accel' },
      (inner) => {
        if (found.kind === 'script')
          this.#checks.checkTarget(inner, route, found, () => this.#runner.run(inner, route, found))
        else if (found.kind === 'file') this.#sendFile(inner, route, found.path)
        else inner.done(undefined, undefined)
      },
    )
    return { ...response, headers: mergeKeptFields(to.kept, response.headers) }
  }

  followLocation(
    routed: RoutedRequest<Source>,
    route: ScriptRoute<Source>,
    location: string,
  ): Promise<GatewayResponse> | undefined {
    const to = route.localRedirect ? localTarget(location, routed.mount) : undefined
    if (to === undefined || this.#isExcluded(to.path)) return undefined
    const target = { ...to, mount: routed.mount, option: 'localRedirect' }
    return this.#redirectInternally(routed, target, (inner) =>
      this.#checks.checkPath(inner, () => this.#route(inner, 0)),
    ).catch((error) => {
      if (error instanceof GatewayError) throw error
      throw routed.logger.failure(error)
    })
  }

  /** Runs a request again on another path. @throws RedirectLoopError, FileMissingError */
  async #redirectInternally(
    routed: RoutedRequest<Source>,
    to: InternalRedirect,
    run: (inner: RoutedRequest<Source>) => void,
  ): Promise<GatewayResponse> {
    const chain = [...(routed.chain ?? [routed.path]), to.path]
    if (chain.length > MAX_INTERNAL_REDIRECTS + 1) throw new RedirectLoopError(chain)
    return new Promise((resolve, reject) => {
      const done: GatewayCallback = (error, response) => {
        if (response !== undefined) resolve(response)
        else reject(error ?? new FileMissingError(`there is nothing at ${to.path}`, to.option))
      }
      run(internalRequest(routed, to, chain, done))
    })
  }

  /** Ends a request that failed before it was dispatched to an application. */
  #refuse(routed: RoutedRequest<Source>, cause: unknown): void {
    routed.done(routed.logger.failure(cause), undefined)
  }
}
