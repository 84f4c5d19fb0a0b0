import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import type { Dispatcher, DispatcherStats } from '@fastcgi/client'
import type { RequestTarget } from './environment/request-facts.ts'
import { GatewayError, gatewayError } from './error-status.ts'
import { FileMissingError, PathDeniedError, RedirectLoopError } from './errors.ts'
import { type InternalLocation, type InternalRun, underKept } from './files/accel-redirect.ts'
import { staticFile } from './files/static-file.ts'
import type { Gateway, NodeHandler } from './gateway.ts'
import { consoleLogger, type GatewayLogger, reportFailure } from './logger.ts'
import { createHandler } from './node-handler.ts'
import {
  checkGatewayOptions,
  type GatewayOptions,
  poolOptions,
  type RouteMatch,
} from './options.ts'
import type { GatewayRequest } from './request/gateway-request.ts'
import { bodyRules } from './request/request-body.ts'
import { belowMount, locate, parseTarget } from './request/request-target.ts'
import type { GatewayCallback, GatewayResponse } from './response/gateway-response.ts'
import { Route } from './route.ts'
import { DeniedPaths } from './script/denied-paths.ts'
import { latin1 } from './script/document-root.ts'
import { type InternalRedirect, internalRequest, localTarget } from './script/internal-redirect.ts'
import { type RoutedRequest, rawPath, redirect } from './script/routed-request.ts'
import type { Resolution } from './script/script-resolver.ts'
import type { ScriptRoute } from './script/script-route.ts'
import { type InternalRedirects, ScriptRunner } from './script/script-runner.ts'
import { statsOf, Upstreams } from './upstreams.ts'

/** Makes a gateway. @throws OptionError */
export function createGateway<Source = IncomingMessage>(
  options: GatewayOptions<Source>,
  where = 'createGateway',
): Gateway<Source> {
  return new HTTPGateway(options, where)
}

/** How often an application may have a request run anew (nginx). */
const MOST_RERUNS = 10

class HTTPGateway<Source> implements Gateway<Source>, InternalRedirects<Source> {
  readonly handler: NodeHandler
  readonly #routes: ReadonlyArray<Route<Source>>
  readonly #exclude: readonly string[]
  readonly #denied: DeniedPaths
  readonly #runner: ScriptRunner<Source>
  readonly #logger: GatewayLogger | undefined
  readonly #upstreams: Upstreams

  constructor(options: GatewayOptions<Source>, where: string) {
    checkGatewayOptions(where, options)
    const { routes, ...base } = options
    const pool = poolOptions(options as GatewayOptions<never>)
    this.#upstreams = new Upstreams(where, pool, options.clusters ?? {})
    const { maxParamsSize = 131_072, spoolDirectory = tmpdir() } = options
    const locations: Array<InternalLocation<ScriptRoute<Source>>> = []
    const makeRoute = ({ match, ...over }: RouteMatch<Source>): Route<Source> => {
      const route = { ...base, ...over }
      const dispatcher = this.#upstreams.get(route.upstream)
      const around = { maxParamsSize, spoolDirectory, dispatcher, locations }
      return new Route(where, match, route, around)
    }
    this.#routes = (routes ?? [{ match: '/' }]).map(makeRoute)
    for (const [match, to] of Object.entries(options.accel ?? {})) {
      const target = typeof to === 'string' ? latin1(to) : makeRoute({ ...to, match })
      locations.push({ prefix: latin1(match.replace(/\/$/, '')), target })
    }
    this.#exclude = (options.exclude ?? []).map((path) => latin1(path.replace(/\/$/, '')))
    this.#denied = new DeniedPaths(options.deny ?? [])
    this.#logger = options.logger
    this.#runner = new ScriptRunner(bodyRules(options, spoolDirectory), this)
    this.handler = createHandler(this as unknown as Gateway)
  }

  handle(request: GatewayRequest<Source>, done: GatewayCallback): void {
    let target: RequestTarget
    let mount: string
    let path: string | undefined
    try {
      ;({ target, mount, path } = locate(request.url, request.rewrittenUrl, request.mount))
      if (request.script !== undefined) {
        const inner = parseTarget(latin1(request.script))
        if (request.script.includes('?')) target = { ...target, query: inner.query }
        path = inner.path
        mount = ''
      }
    } catch (error) {
      done(gatewayError(error), undefined)
      return
    }
    if (path === undefined || this.#isExcluded(path)) {
      done(undefined, undefined)
      return
    }
    const { method = 'GET' } = request.req
    const routed = { request, method, target, mount, path, done }
    // What the app itself names is its own business.
    if (request.script === undefined) this.#enter(routed)
    else this.#route(routed, 0)
  }

  close(): Promise<void> {
    return this.#upstreams.close()
  }

  get dispatchers(): Readonly<Record<string, Dispatcher>> {
    return this.#upstreams.all
  }

  get stats(): Readonly<Record<string, DispatcherStats>> {
    return statsOf(this.dispatchers)
  }

  // ---- which route

  #isExcluded(path: string): boolean {
    return this.#exclude.some((prefix) => belowMount(path, prefix) !== undefined)
  }

  #enter(routed: RoutedRequest<Source>): void {
    const rule = this.#denied.find(routed.path)
    if (rule === undefined) this.#route(routed, 0)
    else this.#refuse(routed, new PathDeniedError(routed.path, rule))
  }

  /** Asks one route after the other what the path is. */
  #route(routed: RoutedRequest<Source>, at: number): void {
    const route = this.#routes[at]
    if (route === undefined) {
      routed.done(undefined, undefined)
      return
    }
    const resolution = route.resolve(routed.path)
    if (resolution instanceof Promise)
      resolution.then(
        (found) => this.#act(routed, route, found, at),
        (error) => this.#refuse(routed, error),
      )
    else this.#act(routed, route, resolution, at)
  }

  #act(
    routed: RoutedRequest<Source>,
    route: ScriptRoute<Source>,
    found: Resolution,
    at: number,
  ): void {
    const { method } = routed
    // The mount point without its slash is a directory as well.
    const bare = routed.mount !== '' && routed.path === '/' && !rawPath(routed).endsWith('/')
    if ('isIndex' in found && bare) redirect(routed)
    else if (found.kind === 'script') this.#runner.run(routed, route, found)
    else if (found.kind === 'directory') redirect(routed)
    else if (found.kind === 'file' && (method === 'GET' || method === 'HEAD'))
      this.#sendFile(routed, route, found.path)
    else this.#route(routed, at + 1)
  }

  #sendFile(routed: RoutedRequest<Source>, route: ScriptRoute<Source>, path: string): void {
    const { req, res } = routed.request
    staticFile({ req, res, logger: this.loggerOf(routed) }, route.staticFile(path)).then(
      (response) => routed.done(undefined, response),
      (error) => this.#refuse(routed, error),
    )
  }

  // ---- what applications send on

  async rerun(
    routed: RoutedRequest<Source>,
    to: InternalRun<ScriptRoute<Source>>,
  ): Promise<GatewayResponse> {
    const { route, path } = to
    const found = await route.resolve(path)
    const response = await this.#again(routed, { ...to, mount: '', option: 'accel' }, (inner) => {
      if (found.kind === 'script') this.#runner.run(inner, route, found)
      else if (found.kind === 'file') this.#sendFile(inner, route, found.path)
      else inner.done(undefined, undefined)
    })
    return { ...response, headers: underKept(to.kept, response.headers) }
  }

  followLocation(
    routed: RoutedRequest<Source>,
    route: ScriptRoute<Source>,
    location: string,
  ): Promise<GatewayResponse> | undefined {
    const to = route.localRedirect ? localTarget(location, routed.mount) : undefined
    if (to === undefined || this.#isExcluded(to.path)) return undefined
    const target = { ...to, mount: routed.mount, option: 'localRedirect' }
    return this.#again(routed, target, (inner) => this.#enter(inner)).catch((error) => {
      if (error instanceof GatewayError) throw error
      throw reportFailure(this.loggerOf(routed), routed.request.req, error)
    })
  }

  /** Has a request run again on another path. @throws RedirectLoopError, FileMissingError */
  async #again(
    routed: RoutedRequest<Source>,
    to: InternalRedirect,
    run: (inner: RoutedRequest<Source>) => void,
  ): Promise<GatewayResponse> {
    const chain = [...(routed.chain ?? [routed.path]), to.path]
    if (chain.length > MOST_RERUNS + 1) throw new RedirectLoopError(chain)
    return new Promise((resolve, reject) => {
      const done: GatewayCallback = (error, response) => {
        if (response !== undefined) resolve(response)
        else reject(error ?? new FileMissingError(`there is nothing at ${to.path}`, to.option))
      }
      run(internalRequest(routed, to, chain, done))
    })
  }

  loggerOf({ request }: RoutedRequest<Source>): GatewayLogger {
    return this.#logger ?? request.logger ?? consoleLogger
  }

  /** A failure before there was anything to dispatch. */
  #refuse(routed: RoutedRequest<Source>, cause: unknown): void {
    routed.done(reportFailure(this.loggerOf(routed), routed.request.req, cause), undefined)
  }
}
