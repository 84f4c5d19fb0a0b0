// What all parts of a page need to know.

import type { DispatcherSnapshot, MemberSnapshot } from '../snapshot.ts'
import type { FormContext } from './forms.ts'
import { html, type Markup } from './html.ts'
import { linkTo, type View } from './query.ts'

/** What all parts of a page need to know. */
export interface PageContext {
  readonly view: View
  /** Time of the snapshot, ISO 8601. */
  readonly at: string
  /** Nonce of the forms; undefined for a page without forms. */
  readonly nonce: string | undefined
}

/** What the forms of a dispatcher's members need; undefined if they cannot be changed. */
export function formsOf(
  { name, kind }: DispatcherSnapshot,
  { nonce }: PageContext,
): FormContext | undefined {
  return nonce === undefined || kind !== 'balancer' ? undefined : { nonce, balancer: name }
}

/** A link to the page of a member. */
export function memberLink(
  { name }: MemberSnapshot,
  dispatcher: DispatcherSnapshot,
  { view }: PageContext,
): Markup {
  const member = { dispatcher: dispatcher.name, member: name }
  return html`<a href="${linkTo(view, { member })}"><bdi>${name}</bdi></a>`
}

/** A moment: the date only if it is not that of the snapshot. */
export function timestamp(iso: string, at?: string): Markup {
  const isToday = at?.slice(0, 10) === iso.slice(0, 10)
  return html`<time datetime="${iso}">${iso.slice(isToday ? 11 : 0, 19).replace('T', ' ')} UTC</time>`
}
