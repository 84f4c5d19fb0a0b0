// The page of one member: what is wrong, what can be done, and all its figures.

import type { DispatcherSnapshot, MemberSnapshot } from '../snapshot.ts'
import { afterWorkOf } from './after-work.ts'
import { countOf, dash, quantiles } from './columns.ts'
import { formsOf, type PageContext } from './context.ts'
import { memberForms } from './forms.ts'
import { html, type Markup } from './html.ts'
import { bytes, count, rate } from './number-format.ts'
import { linkTo, type MemberPath } from './query.ts'
import { figure } from './sections.ts'
import { troubleOf } from './trouble.ts'

/** The page of the member that the URL names. */
export function memberPage(
  path: MemberPath,
  dispatchers: readonly DispatcherSnapshot[],
  context: PageContext,
): Markup {
  const dispatcher = dispatchers.find(({ name }) => name === path.dispatcher)
  const member = dispatcher?.members.find(({ name }) => name === path.member)
  const back = html`<p class="back" data-key="back"><a href="${linkTo(context.view, { member: undefined })}">All members</a></p>`
  if (dispatcher === undefined || member === undefined)
    return html`${back}<p class="alert" data-key="gone"><bdi>${path.dispatcher}</bdi> has no member <bdi>${path.member}</bdi>.</p>`
  return html`${back}${section(member, dispatcher, context)}`
}

function section(
  member: MemberSnapshot,
  dispatcher: DispatcherSnapshot,
  context: PageContext,
): Markup {
  const { name, state, stats } = member
  const forms = formsOf(dispatcher, context)
  const trouble = troubleOf(member, context)
  return html`<section data-key="member">
<div class="top"><h2><bdi>${name}</bdi></h2><span class="state ${state}">${state}</span><span class="soft">member of <bdi>${dispatcher.name}</bdi></span></div>
${trouble && html`<div class="pad" data-key="trouble">${trouble}</div>`}
${forms && memberForms(member, forms)}
<dl class="facts">
${facts(member).map(([title, value]) => figure(title, value))}
</dl>
${afterWorkOf(name, stats)}
</section>`
}

function facts(member: MemberSnapshot): ReadonlyArray<readonly [string, Markup | string]> {
  const { counters, stats, headTimes, totalTimes, route, redirect, requestsPerSecond } = member
  return [
    ['Role', member.role],
    ['Set', String(member.lbset)],
    [
      'Weight',
      html`${member.weight}${member.share !== member.weight && html`<small>now ${Number(member.share.toPrecision(2))}</small>`}`,
    ],
    ['Route', route === null ? dash() : html`<bdi>${route}</bdi>`],
    ['Redirect', redirect === null ? dash() : html`<bdi>${redirect}</bdi>`],
    [
      'Requests',
      html`${count(counters.connected)}<small>${rate(requestsPerSecond)} per second</small>`,
    ],
    ['In flight', countOf(counters.load)],
    ['Queued', countOf(stats.queued)],
    ['Died', countOf(counters.died)],
    ['Disabled', countOf(counters.disabled)],
    ['Overloaded', countOf(counters.overloaded)],
    ['Retries', countOf(stats.retries)],
    ['Time to the head, p50 / p99', quantiles(headTimes)],
    ['Whole time, p50 / p99', quantiles(totalTimes)],
    [
      'Connections',
      html`${count(stats.connections)}<small>of ${count(stats.limit)}, ${count(stats.idle)} idle</small>`,
    ],
    ['Bytes out', bytes(counters.bytesSent)],
    ['Bytes in', bytes(counters.bytesReceived)],
  ]
}
