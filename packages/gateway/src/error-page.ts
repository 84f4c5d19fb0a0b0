// Error pages (option errorPage): a failure as a response that people can read.

import { type IncomingMessage, STATUS_CODES } from 'node:http'
import { errorAdvice } from './error-advice.ts'
import type { GatewayError } from './error-status.ts'
import type { GatewayCallback, GatewayResponse } from './response/gateway-response.ts'
import { type FormatTypes, preferred } from './status/content-negotiation.ts'
import { html, Markup } from './status/page/html.ts'

/** How error pages are made. */
export interface ErrorPageOptions {
  /** Whether to show causes, which name addresses and paths. @default false */
  details?: boolean | undefined
}

/** What a page shows. */
interface Problem {
  readonly status: number
  /** What happened, for everybody. */
  readonly what: string
  /** The cause and what to look at, for developers; lines without full stops. */
  readonly details: ReadonlyArray<readonly [name: string, text: string]>
  readonly headers: Readonly<Record<string, string>>
}

type PageFormat = 'text' | 'html' | 'json'

/** Text for clients without a preference, such as curl. */
const FORMATS: FormatTypes<PageFormat> = [
  ['text', ['text/plain']],
  ['html', ['text/html', 'application/xhtml+xml']],
  ['json', ['application/json']],
]

const WHAT: Readonly<Record<number, string>> = {
  403: 'This path is not for visitors.',
  404: 'There is nothing at this address.',
  500: 'Something is wrong with this server. It has been written to its log.',
  502: 'The application behind this page did not give a whole answer. It has been written to the log.',
  503: 'The application behind this page has too much to do, or is being restarted. Try again in a moment.',
  504: 'The application behind this page took too long. It has been written to the log.',
}

/** The option `errorPage` as an object; undefined if it is off. */
export function errorPageOptions(
  option: boolean | ErrorPageOptions | undefined,
): ErrorPageOptions | undefined {
  return option === true ? {} : option || undefined
}

/** Wraps a callback so that failures reach it as responses. */
export function withErrorPage(
  callback: GatewayCallback,
  req: IncomingMessage,
  options: ErrorPageOptions,
): GatewayCallback {
  return (error, response) => {
    if (error === undefined) callback(undefined, response)
    else callback(undefined, page(req, problemOf(error), options))
  }
}

/** The page for a path at which there is nothing. @param hint what to look at, for developers. */
export function notFoundPage(
  req: IncomingMessage,
  options: ErrorPageOptions,
  hint: string = 'a directory is shown by its index file (option index)',
): GatewayResponse {
  return statusErrorPage(req, 404, options, [['look at', hint]])
}

/** The page for a status that a framework has decided on. */
export function statusErrorPage(
  req: IncomingMessage,
  status: number,
  options: ErrorPageOptions,
  details: Problem['details'] = [],
): GatewayResponse {
  return page(req, { ...problem(status), details }, options)
}

function problem(status: number): Problem {
  const what = WHAT[status] ?? `${STATUS_CODES[status] ?? 'The request failed'}.`
  return { status, what, details: [], headers: {} }
}

function problemOf(error: GatewayError): Problem {
  const { status, code, cause, expose, message, headers } = error
  const advice = errorAdvice(code)
  const details: Array<readonly [string, string]> = [
    ['cause', cause instanceof Error ? cause.message : message],
    ['code', code],
  ]
  if (advice !== undefined) details.push(['look at', advice])
  const base = problem(status)
  const hasOwnText = WHAT[status] === undefined && expose
  return { ...base, what: hasOwnText ? message : base.what, details, headers }
}

function page(
  req: IncomingMessage,
  { status, what, details, headers }: Problem,
  options: ErrorPageOptions,
): GatewayResponse {
  const reason = STATUS_CODES[status] ?? 'Error'
  const shown = options.details ? details : []
  const format = preferred(req.headers.accept, FORMATS)
  const [type, text] = RENDER[format](`${status} ${reason}`, what, shown)
  const body = Buffer.from(text)
  const fields = [
    ...Object.entries(headers).flat(),
    ...['Content-Type', type, 'Content-Length', String(body.length)],
    ...['Cache-Control', 'no-store', 'Vary', 'Accept', 'X-Content-Type-Options', 'nosniff'],
  ]
  if (format === 'html') fields.push('Content-Security-Policy', POLICY)
  return { status, reason: '', headers: fields, body: req.method === 'HEAD' ? null : body }
}

/** Nothing is loaded; the style is in the page. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

type Details = Problem['details']
type Render = (title: string, what: string, details: Details) => [type: string, text: string]

const RENDER: Readonly<Record<PageFormat, Render>> = {
  text: (title, what, details) => {
    const lines = details.map(([name, text]) => `${name}: ${text}\n`)
    return ['text/plain; charset=utf-8', `${title}\n${what}\n${lines.join('')}`]
  },
  json: (title, what, details) => {
    const all = { error: title, message: what, ...Object.fromEntries(details) }
    return ['application/json', `${JSON.stringify(all)}\n`]
  },
  html: (title, what, details) => ['text/html; charset=utf-8', htmlPage(title, what, details)],
}

const STYLE = `
:root { color-scheme: light dark }
body { margin: 12vh auto 2rem; max-width: 44rem; padding: 0 1.25rem; overflow-wrap: anywhere;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
h1 { font-size: 1.6rem; margin: 0 0 .5rem }
dl { margin-top: 1.5rem; padding-top: 1rem; border-top: 1px solid #8886 }
dt { font-size: .8125rem; opacity: .7; margin-top: .75rem }
dd { margin: 0; font-family: ui-monospace, monospace; font-size: .875rem }
`

function htmlPage(title: string, what: string, details: Details): string {
  const list = details.map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>\n`)
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<h1>${title}</h1>
<p>${what}</p>
${list.length > 0 && html`<dl>${list}</dl>`}
</body>
</html>
`.toString()
}
