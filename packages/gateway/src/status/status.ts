import { randomBytes } from 'node:crypto'
import { type Dispatcher, OptionError } from '@fastcgi/client'
import { type Check, checkOptions, flag, integer, text } from '@fastcgi/client/internal'
import { ActionError, Actions } from './actions.ts'
import { lighttpdCounters } from './lighttpd.ts'
import { type Format, isFormat, negotiate } from './negotiation.ts'
import { statusPage } from './page.ts'
import { PROMETHEUS_TYPE, prometheusText } from './prometheus.ts'
import { Rates } from './rates.ts'
import { takeSnapshot } from './snapshot.ts'

/** Dispatchers by name. */
export type Dispatchers = Readonly<Record<string, Dispatcher>>

/** Options of {@link createStatus}. */
export interface StatusOptions {
  /** What to show, by name; as a function it is asked for each request. */
  dispatchers: Dispatchers | (() => Dispatchers)
  /** Let members be changed by the forms of the page. @default false */
  actions?: boolean | undefined
  /** Heading of the page. @default 'FastCGI status' */
  title?: string | undefined
  /** Seconds after which the page loads itself anew, 0 for never. @default 5 */
  refresh?: number | undefined
}

/** A request for the status. */
export interface StatusRequest {
  method: string
  /** With scheme and host, as the client knows them: changes are taken from pages of that origin alone. */
  url: string
  /** By names in lower case. */
  headers: Readonly<Record<string, string | string[] | undefined>>
  /** A form: as text, or as an object where a body parser has been there before. */
  body?: unknown
}

/** A response, for whoever asked to write. */
export interface StatusResponse {
  readonly status: number
  /** Fields as flat name, value, name, value… */
  readonly headers: string[]
  /** Empty for HEAD. */
  readonly body: string
}

/** The status of balancers and pools: a page, JSON, Prometheus's text. */
export interface Status {
  respond(request: StatusRequest): StatusResponse
}

const TEXT = 'text/plain; charset=utf-8'

const record: Check = (value) =>
  typeof value === 'function' || (typeof value === 'object' && value !== null)
    ? undefined
    : 'an object of dispatchers by name, or a function that returns one'

/**
 * Makes the status of dispatchers, without any framework. It asks nobody who he is: put it behind the authentication of
 * the application.
 * @throws OptionError
 */
export function createStatus(options: StatusOptions, where = 'createStatus'): Status {
  checkOptions(where, options, {
    dispatchers: record,
    actions: flag,
    title: text,
    refresh: integer(0, 86_400),
  })
  if (options.dispatchers === undefined)
    throw new OptionError(`${where}: option dispatchers is missing; say what to show`)
  return new DispatcherStatus(options)
}

interface RoutedRequest {
  readonly url: URL
  readonly format: Format
}

class DispatcherStatus implements Status {
  readonly #dispatchers: () => Dispatchers
  readonly #actions: Actions | undefined
  readonly #title: string
  readonly #refresh: number
  readonly #rates = new Rates()

  constructor({ dispatchers, actions, title, refresh }: StatusOptions) {
    this.#dispatchers = typeof dispatchers === 'function' ? dispatchers : () => dispatchers
    this.#actions = actions ? new Actions() : undefined
    this.#title = title ?? 'FastCGI status'
    this.#refresh = refresh ?? 5
  }

  respond(request: StatusRequest): StatusResponse {
    const { method, headers } = request
    const url = parseURL(request.url)
    if (url === undefined) return response(400, TEXT, 'Bad URL or Host.\n')
    const wanted = url.searchParams.get('format') ?? negotiate(headers.accept?.toString())
    if (!isFormat(wanted))
      return response(400, TEXT, 'There is no such format; there are html, json, prometheus.\n')
    const routed = { url, format: wanted }
    if (method === 'POST' && this.#actions !== undefined) return this.#change(request, routed)
    if (method !== 'GET' && method !== 'HEAD') {
      const allow = this.#actions === undefined ? 'GET, HEAD' : 'GET, HEAD, POST'
      const readOnly = method === 'POST' ? ' Nothing can be changed here (option actions).' : ''
      return this.#refuse(routed, 405, `Method not allowed.${readOnly}`, ['Allow', allow])
    }
    const whole = this.#show(routed)
    return method === 'HEAD' ? { ...whole, body: '' } : whole
  }

  #change({ url, headers, body }: StatusRequest, routed: RoutedRequest): StatusResponse {
    const origin = URL.canParse(url) ? routed.url.origin : undefined
    try {
      this.#actions?.run({ origin, headers, body }, this.#dispatchers())
    } catch (error) {
      if (!(error instanceof ActionError)) throw error
      return this.#refuse(routed, error.status, error.message)
    }
    // Two slashes at the start would name another host.
    const location = routed.url.pathname.replace(/^\/+/, '/') + routed.url.search
    return response(303, TEXT, 'Done.\n', ['Location', location])
  }

  #show(
    { url, format }: RoutedRequest,
    error?: { status: number; message: string },
  ): StatusResponse {
    const status = error?.status ?? 200
    const snapshot = takeSnapshot(this.#dispatchers(), this.#rates)
    if (format === 'prometheus') return response(status, PROMETHEUS_TYPE, prometheusText(snapshot))
    if (format === 'json') {
      const all = { ...snapshot, lighttpd: lighttpdCounters(snapshot) }
      return response(status, 'application/json', `${JSON.stringify(all, undefined, 2)}\n`)
    }
    const styleNonce = randomBytes(16).toString('base64url')
    const page = statusPage(snapshot, {
      title: this.#title,
      refresh: this.#refresh,
      paused: error !== undefined || url.searchParams.get('refresh') === '0',
      styleNonce,
      actionNonce: this.#actions?.nonce,
      error: error?.message,
    })
    return response(status, 'text/html; charset=utf-8', page, [
      'Content-Security-Policy',
      `default-src 'none'; style-src 'nonce-${styleNonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
    ])
  }

  /** People get the page, with what is wrong on top. */
  #refuse(
    routed: RoutedRequest,
    status: number,
    message: string,
    headers: string[] = [],
  ): StatusResponse {
    if (routed.format === 'json') {
      const body = `${JSON.stringify({ error: message })}\n`
      return response(status, 'application/json', body, headers)
    }
    if (routed.format === 'prometheus') return response(status, TEXT, `${message}\n`, headers)
    const page = this.#show(routed, { status, message })
    return { ...page, headers: [...page.headers, ...headers] }
  }
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
  ]
  return { status, headers: [...always.flat(), ...headers], body }
}
