// The forms of the status page.

import { html, type Markup } from './html.ts'
import type { MemberSnapshot } from './snapshot.ts'

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

/** The forms that change a member. They have no `action`, so the browser posts them to the URL of the page. */
export function actionsOf({ name, status, weight }: MemberSnapshot, context: FormContext): Markup {
  const hidden = html`${common(context)}<input type="hidden" name="member" value="${name}">`
  return html`<div class="acts">
<form method="post">${hidden}${STATUSES.map(
    ([action, title, result]) =>
      html`<button name="action" value="${action}"${status === result && html` disabled`}>${title}</button>`,
  )}</form>
<form method="post">${hidden}<input type="hidden" name="action" value="weight">
<label>Weight <input type="number" name="weight" value="${weight}" min="0" max="100" step="any" required></label><button>Set</button></form>
<details><summary>Remove…</summary>
<form method="post">${hidden}<button class="danger" name="action" value="remove">Remove <bdi>${name}</bdi></button></form></details>
</div>`
}

/** The form that adds a member. */
export function addForm(context: FormContext): Markup {
  return html`<div class="add"><form method="post">${common(context)}<input type="hidden" name="action" value="add">
<label>Address <input name="address" required placeholder="fcgi://10.0.0.3:9000"></label>
<label>Name <input name="name" placeholder="its address"></label>
<label>Route <input name="route"></label>
<label>Weight <input type="number" name="weight" min="0" max="100" step="any" placeholder="1"></label>
<button>Add member</button></form></div>`
}

function common({ nonce, balancer }: FormContext): Markup {
  return html`<input type="hidden" name="nonce" value="${nonce}"><input type="hidden" name="balancer" value="${balancer}">`
}
