// The page of one member: what is wrong, what can be done, and all its figures.

import type {
  DispatcherSnapshot,
  MemberSnapshot,
  StatusSnapshot,
  TimesSnapshot,
} from '../snapshot.ts'
import { afterWorkOf } from './after-work.ts'
import { charts } from './charts.ts'
import { countOf, dash, quantile } from './columns.ts'
import { formsOf, type PageContext, timestamp } from './context.ts'
import { eventSection } from './events.ts'
import { memberForms } from './forms.ts'
import { html, type Markup } from './html.ts'
import { ago, bytes, count, milliseconds, rate } from './number-format.ts'
import { linkTo, type MemberPath } from './query.ts'
import { figure } from './sections.ts'
import { lastErrorOf, severity, troubleOf } from './trouble.ts'

type Facts = ReadonlyArray<readonly [title: string, value: Markup | string]>

/** The page of the member that the URL names. */
export function memberPage(
  path: MemberPath,
  { dispatchers, events }: StatusSnapshot,
  context: PageContext,
): Markup {
  const dispatcher = dispatchers.find(({ name }) => name === path.dispatcher)
  const member = dispatcher?.members.find(({ name }) => name === path.member)
  const own = events.filter(
    (event) => event.member === path.member && event.dispatcher === path.dispatcher,
  )
  const back = html`<p class="back" data-key="back"><a href="${linkTo(context.view, { member: undefined })}">All members</a></p>`
  if (dispatcher === undefined || member === undefined)
    return html`${back}<p class="alert" data-key="gone"><bdi>${path.dispatcher}</bdi> has no member <bdi>${path.member}</bdi>.</p>`
  return html`${back}${section(member, dispatcher, context)}${eventSection(own, context)}`
}

function section(
  member: MemberSnapshot,
  dispatcher: DispatcherSnapshot,
  context: PageContext,
): Markup {
  const { name, state, stats, history, limit } = member
  const forms = formsOf(dispatcher, context)
  const trouble = severity(member) ? troubleOf(member, context) : lastErrorOf(member, context)
  return html`<section data-key="member">
<div class="top"><h2><bdi>${name}</bdi></h2><span class="state ${state}">${state}</span><span class="soft">member of <bdi>${dispatcher.name}</bdi></span></div>
${trouble && html`<div class="pad" data-key="trouble">${trouble}</div>`}
${forms && memberForms(member, forms)}
<dl class="sums">${traffic(member).map(([title, value]) => figure(title, value))}</dl>
${charts(history)}
${latency(member)}
<dl class="facts">${facts(member).map(([title, value]) => figure(title, value))}</dl>
${limit && html`<p class="none" data-key="limit"><b>Why ${count(stats.limit)} connections:</b> ${limit.reason}.${moments(limit, context)}</p>`}
${afterWorkOf(name, stats)}
</section>`
}

function traffic({ counters, stats, requestsPerSecond, reuse }: MemberSnapshot): Facts {
  return [
    ['Requests', count(counters.connected)],
    ['Per second', rate(requestsPerSecond)],
    ['In flight', count(counters.load)],
    ['Queued', count(stats.queued)],
    ['Failed', count(counters.failed)],
    [
      'Connections',
      html`${count(stats.connections)} <small>of ${count(stats.limit)}, ${count(stats.idle)} idle</small>`,
    ],
    ['Reused', reuse === null ? '–' : `${Math.round(reuse * 100)} %`],
  ]
}

function facts(member: MemberSnapshot): Facts {
  const { counters, responses, stats, route, redirect, weight, share } = member
  const now = share !== weight && html`<small>now ${Number(share.toPrecision(2))}</small>`
  return [
    ['Role', member.role],
    ['Set', String(member.lbset)],
    ['Weight', html`${weight}${now}`],
    ['Route', route === null ? dash() : html`<bdi>${route}</bdi>`],
    ['Redirect', redirect === null ? dash() : html`<bdi>${redirect}</bdi>`],
    ['Died', countOf(counters.died)],
    ['Disabled', countOf(counters.disabled)],
    ['Overloaded', countOf(counters.overloaded)],
    ['Retries', countOf(stats.retries)],
    ['Aborted by clients', countOf(counters.aborted)],
    ...Object.entries(responses)
      .filter(([, number]) => number > 0)
      .map(([group, number]) => [`Status ${group}`, count(number)] as const),
    ['Bytes out', bytes(counters.bytesSent)],
    ['Bytes in', bytes(counters.bytesReceived)],
  ]
}

function latency(member: MemberSnapshot): Markup {
  const { connectTimes, queueTimes, headTimes, totalTimes } = member
  const parts: ReadonlyArray<readonly [string, TimesSnapshot]> = [
    ['Waiting for a connection', queueTimes],
    ['Opening a connection', connectTimes],
    ['Until the head', headTimes],
    ['In all', totalTimes],
  ]
  return html`<table class="times"><thead><tr><th scope="col">Time</th>${['Count', 'Mean', 'p50', 'p99'].map((title) => html`<th scope="col" class="n">${title}</th>`)}</tr></thead>
<tbody>${parts.map(([title, times]) => timesRow(title, times))}</tbody></table>`
}

function timesRow(title: string, { count: number, mean, p50, p99 }: TimesSnapshot): Markup {
  const shown =
    number === 0
      ? [dash(), dash(), dash()]
      : [milliseconds(mean ?? 0), quantile(p50), quantile(p99)]
  return html`<tr><th scope="row">${title}</th>${[countOf(number), ...shown].map((value) => html`<td class="n">${value}</td>`)}</tr>`
}

/** When the limit was looked at, raised and cut for the last time. */
function moments(limit: NonNullable<MemberSnapshot['limit']>, { at }: PageContext): Markup {
  const times = [
    ['Last probe', limit.probedAt],
    ['last raised', limit.raisedAt],
    ['last cut', limit.cutAt],
  ] as const
  const known = times.flatMap(([title, time]) =>
    time === null ? [] : [html`<br>${title} ${timestamp(time, at)}, ${ago(time, at)}`],
  )
  return html`${known}`
}
