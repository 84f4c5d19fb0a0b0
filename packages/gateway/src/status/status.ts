// createStatus: answers requests for the status as a page, JSON or Prometheus text.

import { type Dispatcher, OptionError } from '@fastcgi/client'
import { type Check, callable, checkOptions, integer, text } from '@fastcgi/client/internal'
import type { GatewayCache } from '../cache/caches.ts'
import { ActionError, Actions } from './actions.ts'
import { type Format, isFormat, negotiate } from './content-negotiation.ts'
import { lighttpdCounters } from './lighttpd-counters.ts'
import { type MetricRegister, registerMetrics } from './metrics/prom-client.ts'
import { PROMETHEUS_TYPE, prometheusText } from './metrics/prometheus-text.ts'
import { Monitor } from './monitor.ts'
import { PAGE_POLICY, statusPage } from './page/page.ts'
import { linkTo, readView } from './page/query.ts'
import type { StatusSnapshot } from './snapshot.ts'

/** Dispatchers by name. */
export type Dispatchers = Readonly<Record<string, Dispatcher>>

/** Caches by name; those that are undefined are left out. */
export type Caches = Readonly<Record<string, GatewayCache | undefined>>

/** Options of {@link createStatus}. `Source` is the framework's request. */
export interface StatusOptions<Source = StatusRequest> {
  /** Dispatchers to show, by name, or a function that is called for each request and returns them. Required. */
  dispatchers: Dispatchers | (() => Dispatchers)
  /** Caches of gateways to show, by name, or a function that returns them: `{ site: gateway.cache }`. @default none */
  caches?: Caches | (() => Caches) | undefined
  /**
   * Who may change members of balancers by the page's forms (Apache balancer-manager): a function that returns true for a
   * request that may, from what the authentication of your application has found out about it. Everyone else gets the page
   * without forms. @default false: nobody; the page is for reading only
   */
  actions?: false | ((request: Source) => boolean) | undefined
  /** Returns the name of who sends a request, which the events show with what he or she has changed. @default nobody is named */
  operator?: ((request: Source) => string | undefined) | undefined
  /** Heading of the page. @default 'FastCGI status' */
  title?: string | undefined
  /** Seconds after which the page is brought up to date, 0 to 86400; 0 for never. @default 5 */
  refresh?: number | undefined
}

/** A request for the status. */
export interface StatusRequest {
  /** HTTP method. */
  method: string
  /** URL with scheme and host as the client sees them; actions are accepted only from pages of that origin. */
  url: string
  /** Header fields by lower-case name. */
  headers: Readonly<Record<string, string | string[] | undefined>>
  /** The body of a form, as text or as an object made by a body parser. */
  body?: unknown
}

/** A response for the adapter to write. */
export interface StatusResponse {
  /** HTTP status. */
  readonly status: number
  /** Fields as a flat array: name, value, name, value… */
  readonly headers: string[]
  /** The whole body as text; empty for HEAD. */
  readonly body: string
}

/** The status of balancers and pools as an HTML page, JSON or Prometheus text. */
export interface Status<Source = StatusRequest> {
  /**
   * Answers a request, and performs the action of a form. An invalid request gets a response with status 4xx.
   * @param source what the function `actions` is called with. @default the request
   */
  respond(request: StatusRequest, source?: Source): StatusResponse
  /**
   * Adds the metrics to a registry of prom-client, which reads them when it is scraped: `status.collect(register)`.
   * @throws an error of prom-client if the registry has metrics of these names.
   */
  collect(register: MetricRegister): void
}

const TEXT = 'text/plain; charset=utf-8'
const CSP = 'Content-Security-Policy'
/** The policy of every response: nothing is loaded, and no other page shows it in a frame. */
const POLICY = "default-src 'none'; frame-ancestors 'none'"

const record: Check = (value) =>
  typeof value === 'function' || (typeof value === 'object' && value !== null)
    ? undefined
    : 'an object by name, or a function that returns one'

const permission: Check = (value) =>
  value === false || typeof value === 'function'
    ? undefined
    : 'false, or a function that returns true for requests that may change members, such as (request) => request.user?.isAdmin === true'

/**
 * Makes the status of dispatchers. It depends on no framework and does not authenticate clients: put it behind the
 * authentication of your application.
 * @param where name of the caller, for messages about wrong options.
 * @throws OptionError
 * @example
 * ```js
 * import { createServer } from 'node:http'
 * import { FastCGIClient } from '@fastcgi/client'
 * import { createStatus } from '@fastcgi/gateway'
 *
 * const php = new FastCGIClient('unix:/run/php/php-fpm.sock')
 * createServer(createStatus({ dispatchers: { php } }).handler)
 * ```
 */
export function createStatus<Source = StatusRequest>(
  options: StatusOptions<Source>,
  where = 'createStatus',
): Status<Source> {
  checkOptions(where, options, {
    dispatchers: record,
    caches: record,
    actions: permission,
    operator: callable,
    title: text,
    refresh: integer(0, 86_400),
  })
  if (options.dispatchers === undefined)
    throw new OptionError(`${where}: option dispatchers is missing; say what to show`)
  return new DispatcherStatus(options)
}

interface ParsedRequest {
  readonly url: URL
  readonly format: Format
  /** Whether the request may change members. */
  readonly mayChange: boolean
}

/**
 * Shows a snapshot, for instance the sum of those of several processes. Nothing can be changed there.
 * @param title heading of the page.
 */
export function showSnapshot(
  snapshot: StatusSnapshot,
  request: StatusRequest,
  title: string,
): StatusResponse {
  return new DispatcherStatus({ dispatchers: {}, title }, () => snapshot).respond(request)
}

class DispatcherStatus<Source> implements Status<Source> {
  readonly #dispatchers: () => Dispatchers
  readonly #mayChange: ((request: Source) => boolean) | undefined
  readonly #operator: ((request: Source) => string | undefined) | undefined
  readonly #actions = new Actions()
  readonly #title: string
  readonly #refresh: number
  readonly #snapshot: () => StatusSnapshot

  constructor(
    { dispatchers, caches = {}, actions, operator, title, refresh }: StatusOptions<Source>,
    snapshot?: () => StatusSnapshot,
  ) {
    this.#dispatchers = typeof dispatchers === 'function' ? dispatchers : () => dispatchers
    const cachesNow = typeof caches === 'function' ? caches : () => caches
    if (snapshot === undefined) {
      const monitor = new Monitor({
        dispatchers: this.#dispatchers,
        caches: () => present(cachesNow()),
      })
      this.#snapshot = () => monitor.snapshot()
    } else this.#snapshot = snapshot
    this.#mayChange = actions || undefined
    this.#operator = operator
    this.#title = title ?? 'FastCGI status'
    this.#refresh = refresh ?? 5
  }

  collect(register: MetricRegister): void {
    registerMetrics(register, this.#snapshot)
  }

  respond(request: StatusRequest, source?: Source): StatusResponse {
    const { method, headers } = request
    const url = parseURL(request.url)
    if (url === undefined) return response(400, TEXT, 'Bad URL or Host.\n')
    const wanted = url.searchParams.get('format') ?? negotiate(headers.accept?.toString())
    if (!isFormat(wanted))
      return response(400, TEXT, 'There is no such format; there are html, json, prometheus.\n')
    const asking = source ?? (request as Source)
    const parsed = { url, format: wanted, mayChange: this.#allows(asking) }
    if (method === 'POST' && this.#mayChange !== undefined)
      return this.#change(request, parsed, asking)
    if (method !== 'GET' && method !== 'HEAD') {
      const allow = this.#mayChange === undefined ? 'GET, HEAD' : 'GET, HEAD, POST'
      const readOnly = method === 'POST' ? ' Nothing can be changed here (option actions).' : ''
      return this.#refuse(parsed, 405, `Method not allowed.${readOnly}`, ['Allow', allow])
    }
    const whole = this.#show(parsed)
    return method === 'HEAD' ? { ...whole, body: '' } : whole
  }

  /** @throws OptionError if the function `actions` returns a promise, which would be true whatever it resolves to. */
  #allows(source: Source): boolean {
    const result: unknown = this.#mayChange?.(source)
    if (typeof (result as Partial<Promise<unknown>> | undefined)?.then === 'function')
      throw new OptionError('option actions: the function must return true or false, not a promise')
    return result === true
  }

  #change(
    { url, headers, body }: StatusRequest,
    parsed: ParsedRequest,
    source: Source,
  ): StatusResponse {
    if (!parsed.mayChange)
      return this.#refuse(parsed, 403, 'This request may not change anything (option actions).')
    const origin = URL.canParse(url) ? parsed.url.origin : undefined
    const by = this.#operator?.(source)
    let { search } = parsed.url
    try {
      const action = this.#actions.run({ origin, headers, body }, this.#dispatchers(), by)
      // The page of a removed member has gone with it.
      if (action === 'remove') search = withoutMember(parsed.url)
    } catch (error) {
      if (!(error instanceof ActionError)) throw error
      return this.#refuse(parsed, error.status, error.message)
    }
    // A Location that begins with two slashes would name another host.
    const location = parsed.url.pathname.replace(/^\/+/, '/') + search
    return response(303, TEXT, 'Done.\n', ['Location', location])
  }

  #show(
    { url, format, mayChange }: ParsedRequest,
    error?: { status: number; message: string },
  ): StatusResponse {
    const status = error?.status ?? 200
    const snapshot = this.#snapshot()
    if (format === 'prometheus') return response(status, PROMETHEUS_TYPE, prometheusText(snapshot))
    if (format === 'json') {
      const all = { ...snapshot, lighttpd: lighttpdCounters(snapshot) }
      return response(status, 'application/json', `${JSON.stringify(all)}\n`)
    }
    const page = statusPage(snapshot, {
      title: this.#title,
      refresh: this.#refresh,
      view: readView(url.searchParams),
      actionNonce: mayChange ? this.#actions.nonce : undefined,
      error: error?.message,
    })
    return response(status, 'text/html; charset=utf-8', page, [CSP, `${POLICY}; ${PAGE_POLICY}`])
  }

  /** Answers a refused request; browsers get the page with the message at the top. */
  #refuse(
    parsed: ParsedRequest,
    status: number,
    message: string,
    headers: string[] = [],
  ): StatusResponse {
    if (parsed.format === 'json') {
      const body = `${JSON.stringify({ error: message })}\n`
      return response(status, 'application/json', body, headers)
    }
    if (parsed.format === 'prometheus') return response(status, TEXT, `${message}\n`, headers)
    const page = this.#show(parsed, { status, message })
    return { ...page, headers: [...page.headers, ...headers] }
  }
}

function present(caches: Caches): Record<string, GatewayCache> {
  const given = Object.entries(caches).filter(([, cache]) => cache !== undefined)
  return Object.fromEntries(given as Array<[string, GatewayCache]>)
}

function withoutMember({ searchParams }: URL): string {
  return linkTo(readView(searchParams), { member: undefined }).replace(/^\?$/, '')
}

function parseURL(url: string): URL | undefined {
  if (URL.canParse(url)) return new URL(url)
  const path = `http://localhost${url}`
  return url.startsWith('/') && URL.canParse(path) ? new URL(path) : undefined
}

function response(
  status: number,
  type: string,
  body: string,
  headers: readonly string[] = [],
): StatusResponse {
  const always = [
    ['Content-Type', type],
    ['Content-Length', String(Buffer.byteLength(body))],
    ['Cache-Control', 'no-store'],
    ['Vary', 'Accept'],
    ['X-Content-Type-Options', 'nosniff'],
    ['X-Frame-Options', 'DENY'],
    ['Referrer-Policy', 'same-origin'],
    ['Cross-Origin-Resource-Policy', 'same-origin'],
    ['Cross-Origin-Opener-Policy', 'same-origin'],
  ]
  if (!headers.includes(CSP)) always.push([CSP, POLICY])
  return { status, headers: [...always.flat(), ...headers], body }
}
