// The table of the members of a dispatcher.

import type { DispatcherSnapshot, MemberSnapshot } from '../snapshot.ts'
import { COLUMNS, type Column, NAME, sorted } from './columns.ts'
import { formsOf, memberLink, type PageContext } from './context.ts'
import { type FormContext, rowForm } from './forms.ts'
import { html, type Markup } from './html.ts'
import { linkTo } from './query.ts'
import { troubleOf } from './trouble.ts'

/** The table of the members that the filter of the page lets through. */
export function memberTable(dispatcher: DispatcherSnapshot, context: PageContext): Markup {
  const { members, name } = dispatcher
  const { filter, order } = context.view
  const shown = members.filter((member) => contains(member, filter))
  if (shown.length === 0)
    return html`<p class="none" data-key="none">None of its ${members.length} members has “${filter}” in name, route, role or state.</p>`
  const forms = formsOf(dispatcher, context)
  const left = members.length - shown.length
  return html`${left > 0 && html`<p class="none" data-key="left">${shown.length} of ${members.length} members; the filter hides ${left}.</p>`}<table class="cards" data-key="members" aria-label="Members of ${name}">
<thead><tr>${[NAME, ...COLUMNS].map((column) => heading(column, context))}${forms && html`<td></td>`}</tr></thead>
${sorted(shown, order).map((member) => rows(member, dispatcher, forms, context))}
</table>`
}

function contains({ name, state, role, route }: MemberSnapshot, filter: string): boolean {
  const wanted = filter.toLowerCase()
  return [name, state, role, route ?? ''].some((text) => text.toLowerCase().includes(wanted))
}

/** A head that sorts by its column; a second time in the other direction. */
function heading({ key, title, numeric }: Omit<Column, 'show'>, { view }: PageContext): Markup {
  const { order } = view
  const isSorted = order?.column === key
  const descending = isSorted ? !order.descending : numeric
  const link = linkTo(view, { order: { column: key, descending } })
  const direction = order?.descending ? 'descending' : 'ascending'
  return html`<th scope="col"${numeric && html` class="n"`}${isSorted && html` aria-sort="${direction}"`}><a data-live href="${link}">${title}</a></th>`
}

function rows(
  member: MemberSnapshot,
  dispatcher: DispatcherSnapshot,
  forms: FormContext | undefined,
  context: PageContext,
): Markup {
  const trouble = troubleOf(member, context)
  const width = 1 + COLUMNS.length + (forms ? 1 : 0)
  return html`<tbody data-key="${member.name}">
<tr><th scope="row">${memberLink(member, dispatcher, context)}${place(member)}</th>${COLUMNS.map((column) => cell(column, member))}${forms && html`<td class="act">${rowForm(member, forms)}</td>`}</tr>
${trouble && html`<tr class="more"><td colspan="${width}">${trouble}</td></tr>`}
</tbody>
`
}

function cell({ title, numeric, show }: Column, member: MemberSnapshot): Markup {
  return html`<td${numeric && html` class="n"`} data-label="${title}">${show(member)}</td>`
}

/** Where a member stands among the others, if that is not the usual place. */
function place({ role, lbset, route, redirect }: MemberSnapshot): Markup {
  const marks: string[] = role === 'active' ? [] : [role]
  if (lbset !== 0) marks.push(`set ${lbset}`)
  if (route !== null) marks.push(`route ${route}`)
  if (redirect !== null) marks.push(`then ${redirect}`)
  return html`${marks.length > 0 && html`<small><bdi>${marks.join(', ')}</bdi></small>`}`
}
