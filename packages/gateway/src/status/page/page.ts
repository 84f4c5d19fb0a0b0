// The HTML page of the status.

import { createHash } from 'node:crypto'
import type { StatusSnapshot } from '../snapshot.ts'
import { type PageContext, timestamp } from './context.ts'
import { eventSection } from './events.ts'
import { html, Markup } from './html.ts'
import { memberPage } from './member-page.ts'
import { seconds } from './number-format.ts'
import { processSection } from './processes.ts'
import { linkTo, parametersOf, type View } from './query.ts'
import { SCRIPT } from './script.ts'
import { cacheSection, dispatcherSection } from './sections.ts'
import { STYLE } from './style.ts'
import { health } from './trouble.ts'

/** Options of the page. */
export interface PageOptions {
  readonly title: string
  /** Seconds after which the page is brought up to date; 0 for never. */
  readonly refresh: number
  readonly view: View
  /** Nonce of the forms; undefined for a page without forms. */
  readonly actionNonce: string | undefined
  /** Why an action was refused, if one was. */
  readonly error: string | undefined
}

/** The Content Security Policy of the page: it runs its own script, uses its own style sheet, and asks nobody but this server. */
export const PAGE_POLICY: string = [
  `script-src ${hashOf(SCRIPT)}`,
  `style-src ${hashOf(STYLE)}`,
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
].join('; ')

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`
}

/** Makes the page. It loads no other resource, and is usable without its script. */
export function statusPage(snapshot: StatusSnapshot, options: PageOptions): string {
  const { title, error, view, actionNonce } = options
  const { pid, uptime, at } = snapshot
  const context: PageContext = { view, at, nonce: actionNonce }
  const interval = view.paused || error !== undefined ? 0 : options.refresh
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${withoutScript(interval, context)}
<meta name="robots" content="noindex">
<title>${view.member && `${view.member.member} · `}${title}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body data-refresh="${interval}">
<header>
<div><h1>${title}</h1>
<p class="soft">${timestamp(at)} · process ${pid}, up ${seconds(uptime)}</p></div>
${view.member === undefined && filterForm(view)}
<nav aria-label="This page">${refreshLink(options)}<a href="?format=json">JSON</a><a href="?format=prometheus">Prometheus</a></nav>
</header>
<p id="told" role="status"></p>
<main>
${error !== undefined && html`<p class="alert" role="alert" data-key="alert"><b>Nothing was changed.</b> ${error} <a href="${linkTo(view, {})}">Back to the page</a></p>`}
${view.member === undefined ? overview(snapshot, context) : memberPage(view.member, snapshot, context)}
</main>
<script>${new Markup(SCRIPT)}</script>
</body>
</html>
`
  return page.toString()
}

function overview(snapshot: StatusSnapshot, context: PageContext): Markup {
  const { dispatchers, caches, processes, events } = snapshot
  return html`${health(snapshot, context)}
${dispatchers.length === 0 && html`<p data-key="nothing">There is nothing to show.</p>`}
${dispatchers.map((dispatcher) => dispatcherSection(dispatcher, context))}
${processSection(processes)}
${caches.map(cacheSection)}
${eventSection(events, context)}`
}

/** Without its script, the page reloads itself, unless it has forms: what is typed would be lost. */
function withoutScript(interval: number, { nonce }: PageContext): Markup | false {
  if (interval === 0 || nonce !== undefined) return false
  return html`<noscript><meta http-equiv="refresh" content="${interval}"></noscript>`
}

function refreshLink({ refresh, view }: PageOptions): Markup | false {
  if (refresh === 0) return false
  return view.paused
    ? html`<a href="${linkTo(view, { paused: false })}">Refresh every ${refresh} s</a>`
    : html`<a href="${linkTo(view, { paused: true })}">Stop refreshing</a>`
}

function filterForm(view: View): Markup {
  const others = parametersOf({ ...view, filter: '' })
  return html`<form method="get" role="search">${others.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}<label>Filter <input type="search" name="filter" value="${view.filter}" placeholder="name, route, role or state"></label></form>`
}
