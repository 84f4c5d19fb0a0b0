// The cards of the page: one for each dispatcher and each cache.

import type { CacheSnapshot, DispatcherSnapshot } from '../snapshot.ts'
import { afterWorkOf } from './after-work.ts'
import { charts } from './charts.ts'
import { formsOf, type PageContext } from './context.ts'
import { addForm } from './forms.ts'
import { html, type Markup } from './html.ts'
import { memberTable } from './member-table.ts'
import { bytes, count, rate } from './number-format.ts'

/** A balancer, a pool, or another dispatcher. */
export function dispatcherSection(dispatcher: DispatcherSnapshot, context: PageContext): Markup {
  const { name, kind, members, method, routes, history } = dispatcher
  const forms = formsOf(dispatcher, context)
  const pools = kind === 'balancer' ? members : [dispatcher]
  return html`<section data-key="d ${name}">
<div class="top"><h2><bdi>${name}</bdi></h2><span class="soft">${kind}${method !== null && `, ${method}`}</span>${routes.length > 0 && html`<span class="soft">for <bdi>${routes.join(', ')}</bdi></span>`}</div>
${totals(dispatcher)}
${charts(history)}
${members.length > 0 && memberTable(dispatcher, context)}
${kind === 'balancer' && members.length === 0 && html`<p class="none" data-key="empty">It has no members.</p>`}
${pools.map((pool) => afterWorkOf(pool.name, pool.stats))}
${forms && addForm(forms)}
</section>
`
}

function totals({ stats, requestsPerSecond }: DispatcherSnapshot): Markup {
  return html`<dl class="sums">
${figure('Requests', count(stats.requests))}
${figure('Per second', rate(requestsPerSecond))}
${figure('In flight', count(stats.active))}
${figure('Queued', count(stats.queued))}
${figure('Failed', count(stats.failed))}
${figure('Retries', count(stats.retries))}
${figure('Connections', html`${count(stats.connections)} <small>of ${count(stats.limit)}, ${count(stats.idle)} idle</small>`)}
</dl>`
}

/** A cache. */
export function cacheSection({ name, stats, entries, bytes: used }: CacheSnapshot): Markup {
  const known =
    entries === null || used === null
      ? []
      : ([
          ['Entries', count(entries)],
          ['Bytes', bytes(used)],
        ] as const)
  const events = Object.entries(stats).map(
    ([event, times]) => [capitalized(event), count(times)] as const,
  )
  return html`<section data-key="c ${name}">
<div class="top"><h2><bdi>${name}</bdi></h2><span class="soft">cache</span></div>
<dl class="sums">
${[...events, ...known].map(([title, value]) => figure(title, value))}
</dl>
</section>
`
}

function capitalized(text: string): string {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`
}

/** A number with its name. */
export function figure(name: string, value: Markup | string): Markup {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`
}
