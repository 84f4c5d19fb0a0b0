import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import type { Dispatcher, DispatcherStats } from '@fastcgi/client'
import { DeniedPaths } from './denied-paths.ts'
import { latin1 } from './document-root.ts'
import type { ClientInfo, Env } from './environment.ts'
import { GatewayError, gatewayError } from './error-status.ts'
import { FileMissingError, PathDeniedError, RedirectLoopError } from './errors.ts'
import { type InternalLocation, type InternalRun, underKept } from './files/accel-redirect.ts'
import { consoleLogger, type GatewayLogger, reportFailure } from './logger.ts'
import { createHandler, type NodeHandler } from './node-handler.ts'
import {
  checkGatewayOptions,
  type GatewayOptions,
  poolOptions,
  type RouteMatch,
} from './options.ts'
import {
  type InsideTarget,
  insidePassage,
  localTarget,
  type Passage,
  rawPath,
  redirect,
} from './passage.ts'
import { bodyRules } from './request-body.ts'
import { belowMount, locate, parseTarget, type RequestTarget } from './request-target.ts'
import type { GatewayCallback, GatewayResponse } from './responder.ts'
import { Route } from './route.ts'
import type { Resolution } from './script-resolver.ts'
import { type Onward, ScriptRunner } from './script-runner.ts'
import { staticFile } from './static-file.ts'
import { statsOf, Upstreams } from './upstreams.ts'

/** What an adapter hands in of a request. */
export interface GatewayRequest<Source = IncomingMessage> {
  req: IncomingMessage
  res: ServerResponse
  /** The framework's request, for the `env` function. */
  source: Source
  /** The request target as the client sent it. */
  url: string
  /** What the framework has rewritten `url` to, if it has: this is what is run, REQUEST_URI stays `url`. */
  rewrittenUrl?: string | undefined
  /** Path the gateway is mounted at, as it stands in `rewrittenUrl` or `url`; '' for none. */
  mount: string
  /** The client, as the framework's trust in proxies makes it out. */
  client: ClientInfo
  /** What the framework has made of the body; undefined if nothing. */
  parsedBody?: unknown
  /** Run this instead of what the URL names: a path below the root, with its query if it has one. */
  script?: string | undefined
  /** Params for this request alone. */
  env?: Env | undefined
  /** The framework's logger of this request; the option `logger` wins over it. */
  logger?: GatewayLogger | undefined
}

/** Carries HTTP requests to FastCGI applications. Framework-free: adapters hand requests in and write what comes out. */
export interface Gateway<Source = IncomingMessage> {
  /** Takes a request; `done` is called once. */
  handle(request: GatewayRequest<Source>, done: GatewayCallback): void
  /** For `http.createServer(gateway.handler)`; calls `next` for paths that are not the gateway's, else answers 404. */
  readonly handler: NodeHandler
  /** Finishes what runs and closes the connections it made. */
  close(): Promise<void>
  /** What carries the requests: balancers by name, pools by address. */
  readonly dispatchers: Readonly<Record<string, Dispatcher>>
  /** Counters of each of them. */
  readonly stats: Readonly<Record<string, DispatcherStats>>
}

/** Makes a gateway. @throws OptionError */
export function createGateway<Source = IncomingMessage>(
  options: GatewayOptions<Source>,
  where = 'createGateway',
): Gateway<Source> {
  return new HTTPGateway(options, where)
}

/** How often an application may have a request run anew (nginx). */
const MOST_RERUNS = 10

class HTTPGateway<Source> implements Gateway<Source>, Onward<Source> {
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
    const locations: Array<InternalLocation<Source>> = []
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
    const passage = { request, method, target, mount, path, done }
    // What the app itself names is its own business.
    if (request.script === undefined) this.#enter(passage)
    else this.#route(passage, 0)
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

  #enter(passage: Passage<Source>): void {
    const rule = this.#denied.find(passage.path)
    if (rule === undefined) this.#route(passage, 0)
    else this.#refuse(passage, new PathDeniedError(passage.path, rule))
  }

  /** Asks one route after the other what the path is. */
  #route(passage: Passage<Source>, at: number): void {
    const route = this.#routes[at]
    if (route === undefined) {
      passage.done(undefined, undefined)
      return
    }
    const resolution = route.resolve(passage.path)
    if (resolution instanceof Promise)
      resolution.then(
        (found) => this.#act(passage, route, found, at),
        (error) => this.#refuse(passage, error),
      )
    else this.#act(passage, route, resolution, at)
  }

  #act(passage: Passage<Source>, route: Route<Source>, found: Resolution, at: number): void {
    const { method } = passage
    // The mount point without its slash is a directory as well.
    const bare = passage.mount !== '' && passage.path === '/' && !rawPath(passage).endsWith('/')
    if ('isIndex' in found && bare) redirect(passage)
    else if (found.kind === 'script') this.#runner.run(passage, route, found)
    else if (found.kind === 'directory') redirect(passage)
    else if (found.kind === 'file' && (method === 'GET' || method === 'HEAD'))
      this.#sendFile(passage, route, found.path)
    else this.#route(passage, at + 1)
  }

  #sendFile(passage: Passage<Source>, route: Route<Source>, path: string): void {
    const { req, res } = passage.request
    staticFile({ req, res, logger: this.loggerOf(passage) }, route.staticFile(path)).then(
      (response) => passage.done(undefined, response),
      (error) => this.#refuse(passage, error),
    )
  }

  // ---- what applications send on

  async rerun(passage: Passage<Source>, to: InternalRun<Source>): Promise<GatewayResponse> {
    const { route, path } = to
    const found = await route.resolve(path)
    const response = await this.#again(passage, { ...to, mount: '', option: 'accel' }, (inner) => {
      if (found.kind === 'script') this.#runner.run(inner, route, found)
      else if (found.kind === 'file') this.#sendFile(inner, route, found.path)
      else inner.done(undefined, undefined)
    })
    return { ...response, headers: underKept(to.kept, response.headers) }
  }

  redirectInside(
    passage: Passage<Source>,
    route: Route<Source>,
    location: string,
  ): Promise<GatewayResponse> | undefined {
    const to = route.localRedirect ? localTarget(location, passage.mount) : undefined
    if (to === undefined || this.#isExcluded(to.path)) return undefined
    const target = { ...to, mount: passage.mount, option: 'localRedirect' }
    return this.#again(passage, target, (inner) => this.#enter(inner)).catch((error) => {
      if (error instanceof GatewayError) throw error
      throw reportFailure(this.loggerOf(passage), passage.request.req, error)
    })
  }

  /** Has a request run again on another path. @throws RedirectLoopError, FileMissingError */
  async #again(
    passage: Passage<Source>,
    to: InsideTarget,
    run: (inner: Passage<Source>) => void,
  ): Promise<GatewayResponse> {
    const chain = [...(passage.chain ?? [passage.path]), to.path]
    if (chain.length > MOST_RERUNS + 1) throw new RedirectLoopError(chain)
    return new Promise((resolve, reject) => {
      const done: GatewayCallback = (error, response) => {
        if (response !== undefined) resolve(response)
        else reject(error ?? new FileMissingError(`there is nothing at ${to.path}`, to.option))
      }
      run(insidePassage(passage, to, chain, done))
    })
  }

  loggerOf({ request }: Passage<Source>): GatewayLogger {
    return this.#logger ?? request.logger ?? consoleLogger
  }

  /** A failure before there was anything to dispatch. */
  #refuse(passage: Passage<Source>, cause: unknown): void {
    passage.done(reportFailure(this.loggerOf(passage), passage.request.req, cause), undefined)
  }
}
