// The list of what has happened lately.

import type { EventSnapshot } from '../snapshot.ts'
import { type PageContext, timestamp } from './context.ts'
import { html, type Markup } from './html.ts'
import { ago } from './number-format.ts'

const BAD: ReadonlySet<string> = new Set(['out', 'failing', 'exited', 'crash-loop', 'hung'])
const GOOD: ReadonlySet<string> = new Set(['back', 'added', 'restarted'])

/** A card with events, the latest first. */
export function eventSection(
  events: readonly EventSnapshot[],
  context: PageContext,
): Markup | false {
  if (events.length === 0) return false
  return html`<section data-key="events">
<div class="top"><h2>Events</h2><span class="soft">the latest first</span></div>
<ul class="events" tabindex="0" role="list" aria-label="Events">${events.map((event) => item(event, context))}</ul>
</section>
`
}

function item(event: EventSnapshot, { at: now }: PageContext): Markup {
  const { at, kind, dispatcher, member, message, times, by } = event
  const level = BAD.has(kind) ? 'failed' : GOOD.has(kind) ? 'ok' : 'idle'
  return html`<li data-key="${at} ${kind} ${dispatcher} ${member}">${timestamp(at, now)} <span class="soft">${ago(at, now)}</span> <span class="state ${level}">${kind}</span> <b><bdi>${member}</bdi></b>${
    member !== dispatcher && html` <span class="soft">of <bdi>${dispatcher}</bdi></span>`
  }: <bdi>${message}</bdi>${times > 1 && html` <span class="soft">(${times} times)</span>`}${by !== null && html` <span class="soft">by <bdi>${by}</bdi></span>`}${
    event.remedy !== null && html`<br><span class="soft">What to do: ${event.remedy}.</span>`
  }</li>`
}
