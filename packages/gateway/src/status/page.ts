// The HTML page of the status.

import { BUCKETS } from '@fastcgi/client/internal'
import { actionsOf, addForm, type FormContext } from './forms.ts'
import { html, Markup } from './html.ts'
import { ago, bytes, count, milliseconds, rate, seconds } from './number-format.ts'
import type {
  CacheSnapshot,
  DispatcherSnapshot,
  MemberSnapshot,
  StatusSnapshot,
  TimesSnapshot,
} from './snapshot.ts'
import { STYLE } from './style.ts'

/** Options of the page. */
export interface PageOptions {
  readonly title: string
  /** Seconds after which the page reloads; 0 for never. */
  readonly refresh: number
  /** Whether reloading is suspended. */
  readonly paused: boolean
  /** Nonce of the style element (Content Security Policy). */
  readonly styleNonce: string
  /** Nonce of the forms; undefined for a page without forms. */
  readonly actionNonce: string | undefined
  /** Why an action was refused, if one was. */
  readonly error: string | undefined
}

/** Makes the page. It contains no script and loads no other resource. */
export function statusPage(snapshot: StatusSnapshot, options: PageOptions): string {
  const { title, refresh, paused, styleNonce, error } = options
  const { dispatchers, caches, pid, uptime, at } = snapshot
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${refresh > 0 && !paused && html`<meta http-equiv="refresh" content="${refresh}">`}
<meta name="robots" content="noindex">
<title>${title}</title>
<style nonce="${styleNonce}">${new Markup(STYLE)}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p>${timestamp(at)} · process ${pid}, up ${seconds(uptime)}</p>
<nav>${refreshLink(options)}<a href="?format=json">JSON</a><a href="?format=prometheus">Prometheus</a></nav>
</header>
<main>
${error !== undefined && html`<p class="alert" role="alert"><b>Nothing was changed.</b> ${error} <a href="?">Back to the page</a></p>`}
${dispatchers.length === 0 && html`<p>There is nothing to show.</p>`}
${dispatchers.map((dispatcher) => section(dispatcher, options, at))}
${caches.map(cacheSection)}
</main>
</body>
</html>
`
  return page.toString()
}

function refreshLink({ refresh, paused }: PageOptions): Markup | false {
  if (refresh === 0) return false
  return paused
    ? html`<a href="?">Refresh every ${refresh} s</a>`
    : html`<a href="?refresh=0">Stop refreshing</a>`
}

function section(dispatcher: DispatcherSnapshot, options: PageOptions, at: string): Markup {
  const { name, kind, members } = dispatcher
  const forms =
    options.actionNonce === undefined || kind !== 'balancer'
      ? undefined
      : { nonce: options.actionNonce, balancer: name }
  return html`<section>
<div class="top"><h2><bdi>${name}</bdi></h2><span class="kind">${kind}</span></div>
${totals(dispatcher)}
${afterWorkOf(dispatcher.stats, (text) => html`<p class="none">${text}</p>`)}
${members.length > 0 && table(members, forms, at)}
${kind === 'balancer' && members.length === 0 && html`<p class="none">It has no members.</p>`}
${forms && addForm(forms)}
</section>
`
}

function cacheSection({ name, stats, entries, bytes: used }: CacheSnapshot): Markup {
  const known =
    entries === null || used === null
      ? []
      : ([
          ['Entries', count(entries)],
          ['Bytes', bytes(used)],
        ] as const)
  const events = Object.entries(stats).map(
    ([event, times]) => [event[0]?.toUpperCase() + event.slice(1), count(times)] as const,
  )
  return html`<section>
<div class="top"><h2><bdi>${name}</bdi></h2><span class="kind">cache</span></div>
<dl class="sums">
${[...events, ...known].map(([title, value]) => figure(title, value))}
</dl>
</section>
`
}

function figure(name: string, value: Markup | string): Markup {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`
}

function totals({ stats, requestsPerSecond, method }: DispatcherSnapshot): Markup {
  return html`<dl class="sums">
${method !== null && figure('Method', method)}
${figure('Requests', count(stats.requests))}
${figure('Per second', rate(requestsPerSecond))}
${figure('Under way', count(stats.active))}
${figure('Queued', count(stats.queued))}
${figure('Failed', count(stats.failed))}
${figure('Retries', count(stats.retries))}
${figure('Connections', html`${count(stats.connections)} <small>of ${count(stats.limit)}, ${count(stats.idle)} idle</small>`)}
</dl>`
}

/** How many scripts with after-work are named; the JSON names all. */
const MAX_NAMED = 20

/** The scripts that work on after their response, wrapped; false without any. */
function afterWorkOf(
  { afterWork = [] }: DispatcherSnapshot['stats'],
  wrap: (text: Markup) => Markup,
): Markup | false {
  if (afterWork.length === 0) return false
  const scripts = afterWork
    .slice(0, MAX_NAMED)
    .map(
      ({ script, idempotent, milliseconds: time }) =>
        html`<br><bdi>${script}</bdi>${!idempotent && ' (POST)'}: ${milliseconds(time)}`,
    )
  const more = afterWork.length - scripts.length
  return wrap(
    html`<b>Scripts that work on after their response</b>; their connections are not kept${scripts}${more > 0 && html`<br>and ${more} more`}`,
  )
}

const COLUMNS: ReadonlyArray<readonly [title: string, number?: 'n']> = [
  ['Member'],
  ['State'],
  ['Role'],
  ['Set', 'n'],
  ['Weight', 'n'],
  ['Route'],
  ['Load', 'n'],
  ['Requests', 'n'],
  ['Died', 'n'],
  ['Disabled', 'n'],
  ['Overloaded', 'n'],
  ['Head p50 / p99', 'n'],
  ['Out / in', 'n'],
]

function table(
  members: readonly MemberSnapshot[],
  forms: FormContext | undefined,
  at: string,
): Markup {
  return html`<table>
<thead><tr>${COLUMNS.map(([title, kind]) => html`<th scope="col" class="${kind}">${title}</th>`)}</tr></thead>
${members.map((member) => rows(member, forms, at))}
</table>`
}

function rows(member: MemberSnapshot, forms: FormContext | undefined, at: string): Markup {
  const { name, state, role, lbset, route, redirect, counters, headTimes, lastError } = member
  return html`<tbody>
<tr>
<th scope="row"><bdi>${name}</bdi></th>
<td data-label="State"><span class="state ${state}">${state}</span></td>
<td class="role" data-label="Role">${role}</td>
${cell('Set', String(lbset))}
${cell('Weight', weight(member))}
<td class="route" data-label="Route">${route === null ? dash() : html`<bdi>${route}</bdi>`}${redirect !== null && html`<small>then <bdi>${redirect}</bdi></small>`}</td>
${cell('Load', countOf(counters.load))}
${cell('Requests', requests(member))}
${cell('Died', countOf(counters.died))}
${cell('Disabled', countOf(counters.disabled))}
${cell('Overloaded', countOf(counters.overloaded))}
${cell('Head p50 / p99', quantiles(headTimes), 'n wide')}
${cell('Out / in', html`${bytes(counters.bytesSent)} / ${bytes(counters.bytesReceived)}`, 'n wide')}
</tr>
${lastError !== null && html`<tr class="more error"><td colspan="${COLUMNS.length}"><b>Last error</b> ${timestamp(lastError.at)}, ${ago(lastError.at, at)}: <bdi>${lastError.message}</bdi></td></tr>`}
${afterWorkOf(member.stats, (text) => html`<tr class="more"><td colspan="${COLUMNS.length}">${text}</td></tr>`)}
${forms && html`<tr class="more"><td colspan="${COLUMNS.length}">${actionsOf(member, forms)}</td></tr>`}
</tbody>
`
}

function cell(label: string, content: Markup | string, kind: 'n' | 'n wide' = 'n'): Markup {
  return html`<td class="${kind}" data-label="${label}">${content}</td>`
}

function weight({ weight, share }: MemberSnapshot): Markup {
  const starting = share !== weight
  return html`${weight}${starting && html`<small>now ${Number(share.toPrecision(2))}</small>`}`
}

function requests({ counters, requestsPerSecond }: MemberSnapshot): Markup {
  const now = requestsPerSecond !== null && requestsPerSecond > 0
  return html`${countOf(counters.connected)}${now && html`<small>${rate(requestsPerSecond)}/s</small>`}`
}

/** A count; zero is shown in grey. */
function countOf(value: number): Markup {
  return value === 0 ? html`<span class="zero">0</span>` : html`${count(value)}`
}

function quantiles(times: TimesSnapshot): Markup {
  if (times.count === 0) return dash()
  const mean = times.mean === null ? '' : milliseconds(times.mean)
  return html`${quantile(times.p50)} / ${quantile(times.p99)}<small>mean ${mean}</small>`
}

/** A quantile is known only as the upper bound of its bucket. */
function quantile(value: number | null): string {
  return value === null ? `> ${milliseconds(BUCKETS.at(-1) ?? 0)}` : `≤ ${milliseconds(value)}`
}

function dash(): Markup {
  return html`<span class="zero">–</span>`
}

function timestamp(iso: string): Markup {
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')} UTC</time>`
}
