// What is wrong with a member, since when, and what to do: said first wherever it is shown.

import { errorAdvice } from '../../error-advice.ts'
import type {
  DispatcherSnapshot,
  ErrorSnapshot,
  MemberSnapshot,
  StatusSnapshot,
} from '../snapshot.ts'
import { memberLink, type PageContext, timestamp } from './context.ts'
import { html, type Markup } from './html.ts'
import { ago, count } from './number-format.ts'

/** How many are named above the tables. */
const MAX_ILL = 12
/** An error is shown in the row of a member that answers again, if it is not older than that. */
const RECENT_MS = 900_000

/** How bad the state of a member is; undefined if nothing is wrong, or an operator has wanted it so. */
export function severity({ state, stats }: MemberSnapshot): 'bad' | 'warn' | undefined {
  if (state === 'failed' || state === 'failing') return 'bad'
  return state === 'recovering' || stats.queued > 0 ? 'warn' : undefined
}

/** What is wrong, since when and what to do; the last error, if that was lately, of a member that answers again; or false. */
export function troubleOf(member: MemberSnapshot, context: PageContext): Markup | false {
  const { lastError, state, stats } = member
  const level = severity(member)
  if (level === undefined) return lastError !== null && lately(lastError, context)
  const isFailing = state !== 'ok'
  return html`<div class="trouble ${level}">
${isFailing && failure(member, context)}
${stats.queued > 0 && waiting(member)}
</div>`
}

/** The last error of a member, whenever that was; false if there was none. */
export function lastErrorOf({ lastError }: MemberSnapshot, context: PageContext): Markup | false {
  return lastError !== null && errorLine(lastError, context)
}

const SENTENCES: Readonly<Record<string, string>> = {
  failed: 'Gets no requests',
  failing: 'Fails every request',
  recovering: 'Gets one request, to see whether it is back',
}

function failure({ state, since, lastError }: MemberSnapshot, { at }: PageContext): Markup {
  const moment =
    since !== null &&
    html` since ${timestamp(since, at)}, for ${ago(since, at).replace(/ ago$/, '')}`
  return html`<p><b>${SENTENCES[state] ?? state}</b>${state === 'recovering' ? html`; it was out${moment}` : moment}${
    lastError !== null && html`: <bdi>${lastError.message}</bdi>`
  }</p>${lastError !== null && lastError.remedy !== null && remedy(lastError.remedy)}`
}

/** Requests that wait for a connection, and why no other one is opened. */
function waiting({ stats, limit }: MemberSnapshot): Markup {
  const advice = errorAdvice('FCGI_OVERLOADED') ?? ''
  return html`<p><b>${count(stats.queued)} ${stats.queued === 1 ? 'request waits' : 'requests wait'}</b> for one of its ${count(stats.limit)} connections${
    limit !== null && html`: ${limit.reason}`
  }.</p>${remedy(advice)}`
}

function remedy(advice: string): Markup {
  return html`<p><b>What to do:</b> ${advice}.</p>`
}

function lately(error: ErrorSnapshot, context: PageContext): Markup | false {
  return Date.parse(context.at) - Date.parse(error.at) < RECENT_MS && errorLine(error, context)
}

function errorLine({ at, message, remedy: advice }: ErrorSnapshot, context: PageContext): Markup {
  return html`<p class="soft"><b>Last error</b> ${timestamp(at, context.at)}, ${ago(at, context.at)}: <bdi>${message}</bdi>${
    advice !== null && html` – ${advice}.`
  }</p>`
}

/** The first line of the page: whether all is well, or who is ill. */
export function health({ dispatchers }: StatusSnapshot, context: PageContext): Markup | false {
  const all = dispatchers.flatMap((dispatcher) =>
    dispatcher.members.map((member) => ({ dispatcher, member, level: severity(member) })),
  )
  if (all.length === 0) return false
  const bad = all.filter(({ level }) => level === 'bad')
  const warned = all.filter(({ level }) => level === 'warn')
  const ill = [...bad, ...warned]
  if (ill.length === 0)
    return html`<p class="health" data-key="health"><span class="state ok">No member is failing, and no request waits.</span></p>`
  const of = all.length === 1 ? '1 member' : `${all.length} members`
  return html`<div class="health ${bad.length > 0 ? 'bad' : 'warn'}" data-key="health"><h2>${ill.length} of ${of} ${ill.length === 1 ? 'needs' : 'need'} attention</h2>
<ul>${ill.slice(0, MAX_ILL).map(({ dispatcher, member }) => illness(dispatcher, member, context))}</ul>
${ill.length > MAX_ILL && html`<p>and ${ill.length - MAX_ILL} more</p>`}</div>`
}

function illness(
  dispatcher: DispatcherSnapshot,
  member: MemberSnapshot,
  context: PageContext,
): Markup {
  const { state, since, stats } = member
  const kind = state === 'ok' ? 'busy' : state
  const text = state === 'ok' ? `${count(stats.queued)} waiting` : state
  return html`<li>${memberLink(member, dispatcher, context)} <span class="soft">of <bdi>${dispatcher.name}</bdi></span> <span class="state ${kind}">${text}</span>${
    since !== null &&
    html` <span class="soft">for ${ago(since, context.at).replace(/ ago$/, '')}</span>`
  }</li>`
}
