// What is wrong with a member: said first wherever it is shown.

import type { DispatcherSnapshot, MemberSnapshot, StatusSnapshot } from '../snapshot.ts'
import { memberLink, type PageContext, timestamp } from './context.ts'
import { html, type Markup } from './html.ts'
import { ago } from './number-format.ts'

/** How bad the state of a member is; undefined if nothing is wrong or an operator has wanted it so. */
export function severity({ state }: MemberSnapshot): 'bad' | 'warn' | undefined {
  if (state === 'failed') return 'bad'
  return state === 'recovering' ? 'warn' : undefined
}

/** What is wrong, since when and what to do; false if nothing is. */
export function troubleOf(member: MemberSnapshot, { at }: PageContext): Markup | false {
  const { lastError } = member
  if (lastError === null) return false
  const level = severity(member)
  const text = html`<b>Last error</b> ${timestamp(lastError.at, at)}, ${ago(lastError.at, at)}: <bdi>${lastError.message}</bdi>`
  return html`<p class="${level === undefined ? 'soft' : `trouble ${level}`}">${text}</p>`
}

/** The first line of the page: whether all is well, or who is ill. */
export function health({ dispatchers }: StatusSnapshot, context: PageContext): Markup | false {
  const all = dispatchers.flatMap((dispatcher) =>
    dispatcher.members.map((member) => ({ dispatcher, member })),
  )
  if (all.length === 0) return false
  const ill = all.filter(({ member }) => severity(member) !== undefined)
  if (ill.length === 0)
    return html`<p class="health" data-key="health"><span class="state ok">No member is failing.</span></p>`
  const level = ill.some(({ member }) => severity(member) === 'bad') ? 'bad' : 'warn'
  return html`<div class="health ${level}" data-key="health"><b>${ill.length} of ${all.length} members ${ill.length === 1 ? 'fails' : 'fail'}</b>
<ul>${ill.slice(0, MAX_ILL).map(({ dispatcher, member }) => illness(dispatcher, member, context))}</ul>
${ill.length > MAX_ILL && html`<p>and ${ill.length - MAX_ILL} more</p>`}</div>`
}

/** How many are named above the tables. */
const MAX_ILL = 12

function illness(
  dispatcher: DispatcherSnapshot,
  member: MemberSnapshot,
  context: PageContext,
): Markup {
  return html`<li>${memberLink(member, dispatcher, context)} <span class="soft">of <bdi>${dispatcher.name}</bdi></span> <span class="state ${member.state}">${member.state}</span></li>`
}
