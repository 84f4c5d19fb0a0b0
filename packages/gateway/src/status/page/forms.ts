// The forms of the page. Those of a member name it, for people who hear one button at a time.

import type { MemberSnapshot } from '../snapshot.ts'
import { html, type Markup } from './html.ts'

/** Values of the hidden fields of every form. */
export interface FormContext {
  readonly nonce: string
  /** Name of the balancer. */
  readonly balancer: string
}

const STATUSES = [
  ['enable', 'Enable', 'enabled'],
  ['drain', 'Drain', 'draining'],
  ['disable', 'Disable', 'disabled'],
  ['stop', 'Stop', 'stopped'],
] as const

/**
 * The forms that change a member. They have no `action`, so the browser posts them to the URL of the page. Enabling an enabled
 * member that is out because of failures makes it available at once, so no button is ever disabled.
 */
export function memberForms(
  { name, status, weight }: MemberSnapshot,
  context: FormContext,
): Markup {
  const hidden = html`${common(context)}<input type="hidden" name="member" value="${name}">`
  return html`<div class="acts" data-key="acts">
<form method="post">${hidden}${STATUSES.map(([action, title, result]) =>
    button(action, title, name, html` aria-pressed="${String(status === result)}"`),
  )}</form>
<form method="post">${hidden}<input type="hidden" name="action" value="weight">
<label>Weight <input type="number" name="weight" value="${weight}" min="0" max="100" step="any" required aria-label="Weight of ${name}"></label><button aria-label="Set weight of ${name}">Set</button></form>
<details><summary aria-label="Remove ${name}…">Remove…</summary>
<form method="post">${hidden}<button class="danger" name="action" value="remove">Remove <bdi>${name}</bdi></button></form></details>
</div>`
}

/** The form in the row of a member: the one change that is wanted most. */
export function rowForm({ name, status, state }: MemberSnapshot, context: FormContext): Markup {
  const usable = status === 'enabled' && state !== 'failed'
  return html`<form method="post">${common(context)}<input type="hidden" name="member" value="${name}">${
    usable ? button('drain', 'Drain', name) : button('enable', 'Enable', name)
  }</form>`
}

function button(action: string, title: string, member: string, pressed?: Markup): Markup {
  return html`<button name="action" value="${action}" aria-label="${title} ${member}"${pressed}>${title}</button>`
}

/** The form that adds a member. */
export function addForm(context: FormContext): Markup {
  return html`<details class="add" data-key="add"><summary>Add a member…</summary>
<form method="post">${common(context)}<input type="hidden" name="action" value="add">
<label>Address <input name="address" required placeholder="fcgi://10.0.0.3:9000"></label>
<label>Name <input name="name" placeholder="its address"></label>
<label>Route <input name="route"></label>
<label>Weight <input type="number" name="weight" min="0" max="100" step="any" placeholder="1"></label>
<button>Add member</button></form></details>`
}

function common({ nonce, balancer }: FormContext): Markup {
  return html`<input type="hidden" name="nonce" value="${nonce}"><input type="hidden" name="balancer" value="${balancer}">`
}
