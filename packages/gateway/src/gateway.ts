import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { Readable } from 'node:stream'
import { type Dispatcher, type DispatcherStats, IDEMPOTENT_METHODS } from '@fastcgi/client'
import { variablesFor } from './authorizer/request-state.ts'
import { latin1 } from './document-root.ts'
import type { ClientInfo, Env } from './environment.ts'
import { gatewayError } from './error-status.ts'
import { consoleLogger, type GatewayLogger, reportFailure } from './logger.ts'
import { createHandler, type NodeHandler } from './node-handler.ts'
import { checkGatewayOptions, type GatewayOptions, poolOptions } from './options.ts'
import { type BodyRules, type RequestBody, requestBody } from './request-body.ts'
import { RequestHints } from './request-hints.ts'
import { belowMount, locate, parseTarget, type RequestTarget } from './request-target.ts'
import { type GatewayCallback, Responder } from './responder.ts'
import { Route } from './route.ts'
import type { Resolution } from './script-resolver.ts'
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

const GIBIBYTE = 1_073_741_824

class HTTPGateway<Source> implements Gateway<Source> {
  readonly handler: NodeHandler
  readonly #routes: ReadonlyArray<Route<Source>>
  readonly #exclude: readonly string[]
  readonly #bodyRules: BodyRules
  readonly #logger: GatewayLogger | undefined
  readonly #upstreams: Upstreams

  constructor(options: GatewayOptions<Source>, where: string) {
    checkGatewayOptions(where, options)
    const { routes, ...base } = options
    const pool = poolOptions(options as GatewayOptions<never>)
    this.#upstreams = new Upstreams(where, pool, options.clusters ?? {})
    const spoolDirectory = options.spoolDirectory ?? tmpdir()
    const matches = routes ?? [{ match: '/' }]
    this.#routes = matches.map(({ match, ...over }) => {
      const route = { ...base, ...over }
      const dispatcher = this.#upstreams.get(route.upstream)
      const { maxParamsSize = 131_072 } = options
      return new Route(where, match, route, maxParamsSize, spoolDirectory, dispatcher)
    })
    this.#exclude = (options.exclude ?? []).map((path) => latin1(path.replace(/\/$/, '')))
    this.#logger = options.logger
    this.#bodyRules = {
      unknownLength: options.unknownLength ?? 'spool',
      spoolAll: options.spoolBodies ?? false,
      maxBodySize: options.maxBodySize,
      spool: {
        memory: options.spoolMemory ?? 65_536,
        most: GIBIBYTE,
        directory: spoolDirectory,
      },
      idle: options.timeouts?.body ?? 60_000,
    }
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
    if (path === undefined || this.#isExcluded(path)) done(undefined, undefined)
    else this.#route({ request, target, mount, path, done }, 0)
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

  #isExcluded(path: string): boolean {
    return this.#exclude.some((prefix) => belowMount(path, prefix) !== undefined)
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
    const { method } = passage.request.req
    // The mount point without its slash is a directory as well.
    const bare = passage.mount !== '' && passage.path === '/' && !rawPath(passage).endsWith('/')
    if (found.kind === 'script' && found.isIndex && bare) redirect(passage)
    else if (found.kind === 'script') this.#run(passage, route, found.script, found.pathInfo)
    else if (found.kind === 'directory') redirect(passage)
    else if (found.kind === 'file' && (method === 'GET' || method === 'HEAD'))
      this.#sendFile(passage, route, found.path)
    else this.#route(passage, at + 1)
  }

  #sendFile(passage: Passage<Source>, route: Route<Source>, path: string): void {
    const { req, res } = passage.request
    const logger = this.#loggerOf(passage.request)
    staticFile({ req, res, logger }, route.staticFile(path)).then(
      (response) => passage.done(undefined, response),
      (error) => this.#refuse(passage, error),
    )
  }

  #run(passage: Passage<Source>, route: Route<Source>, script: string, pathInfo: string): void {
    const { req, parsedBody } = passage.request
    let body: RequestBody | Promise<RequestBody>
    try {
      body = requestBody(req, parsedBody, this.#bodyRules)
    } catch (error) {
      this.#refuse(passage, error)
      return
    }
    if (body instanceof Promise)
      body.then(
        (spooled) => this.#dispatch(passage, route, script, pathInfo, spooled),
        (error) => this.#refuse(passage, error),
      )
    else this.#dispatch(passage, route, script, pathInfo, body)
  }

  #dispatch(
    passage: Passage<Source>,
    route: Route<Source>,
    script: string,
    pathInfo: string,
    { body, length, parsed }: RequestBody,
  ): void {
    const { request, target, done } = passage
    const { req, res } = request
    const spooled = body instanceof Readable && body !== req ? body : undefined
    let params: Buffer
    let names: ReturnType<Route<Source>['names']>
    try {
      names = route.names(passage.mount, script, pathInfo)
      params = route.environment.encode({
        req,
        target,
        client: request.client,
        ...names,
        contentLength: length,
        dropContentEncoding: parsed,
        variables: variablesFor(req)?.params,
        extra: mergeEnv(route.envFor(request.source), request.env),
      })
    } catch (error) {
      spooled?.destroy()
      this.#refuse(passage, error)
      return
    }
    const responder = new Responder({
      req,
      res,
      logger: this.#loggerOf(request),
      scriptFilename: names.scriptFilename,
      done,
      buffering: route.buffering,
      spooled,
    })
    responder.control = route.dispatcher.dispatch(
      {
        params,
        body,
        bodyLength: length,
        idempotent: IDEMPOTENT_METHODS.has(req.method ?? ''),
        balance: new RequestHints(req, request.client.address, passage.path),
      },
      responder,
    )
  }

  #loggerOf(request: GatewayRequest<Source>): GatewayLogger {
    return this.#logger ?? request.logger ?? consoleLogger
  }

  /** A failure before there was anything to dispatch. */
  #refuse(passage: Passage<Source>, cause: unknown): void {
    const { request } = passage
    passage.done(reportFailure(this.#loggerOf(request), request.req, cause), undefined)
  }
}

/** One request on its way through the gateway. */
interface Passage<Source> {
  readonly request: GatewayRequest<Source>
  readonly target: RequestTarget
  /** Decoded mount point, '' for none. */
  readonly mount: string
  /** Decoded path below it. */
  readonly path: string
  readonly done: GatewayCallback
}

function mergeEnv(a: Env | undefined, b: Env | undefined): Env | undefined {
  return a === undefined || b === undefined ? (a ?? b) : { ...a, ...b }
}

/** The path as the client sent it. */
function rawPath({ target: { uri } }: Passage<unknown>): string {
  const mark = uri.indexOf('?')
  return mark === -1 ? uri : uri.slice(0, mark)
}

/** To the same URL with a slash: relative links of a directory's index need it. */
function redirect(passage: Passage<unknown>): void {
  const path = rawPath(passage)
  // Two slashes at the start would name another host.
  const location = `${path.replace(/^\/+/, '/')}/${passage.target.uri.slice(path.length)}`
  const { method } = passage.request.req
  passage.done(undefined, {
    status: method === 'GET' || method === 'HEAD' ? 301 : 308,
    reason: '',
    headers: ['Location', location, 'Content-Length', '0'],
    body: null,
  })
}
