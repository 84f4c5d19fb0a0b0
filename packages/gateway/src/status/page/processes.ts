// The processes of process managers.

import type { ProcessSnapshot } from '../snapshot.ts'
import { countOf, dash } from './columns.ts'
import { type Content, html, type Markup } from './html.ts'
import { count, seconds } from './number-format.ts'

const COLUMNS: ReadonlyArray<
  readonly [title: string, show: (process: ProcessSnapshot) => Content, numeric?: true]
> = [
  ['State', ({ state }) => html`<span class="state ${stateClass(state)}">${state}</span>`],
  ['Process id', ({ pid }) => (pid === null ? dash() : String(pid)), true],
  ['Age', ({ age }) => (age === null ? dash() : seconds(age / 1000)), true],
  ['In flight', ({ load }) => countOf(load), true],
  ['Requests', ({ served }) => count(served), true],
  ['Restarts', ({ starts }) => countOf(Math.max(0, starts - 1)), true],
  ['Died', ({ died }) => countOf(died), true],
  ['Last exit', ({ lastExit }) => (lastExit === null ? dash() : html`<bdi>${lastExit}</bdi>`)],
]

/** A card with the processes of all process managers. */
export function processSection(processes: readonly ProcessSnapshot[]): Markup | false {
  if (processes.length === 0) return false
  return html`<section data-key="processes">
<div class="top"><h2>Processes</h2></div>
<table class="cards unsorted" aria-label="Processes">
<thead><tr><th scope="col">Process</th>${COLUMNS.map(([title, , numeric]) => html`<th scope="col"${numeric && html` class="n"`}>${title}</th>`)}</tr></thead>
${processes.map(row)}
</table>
</section>
`
}

function row(process: ProcessSnapshot): Markup {
  const { dispatcher, name, address } = process
  return html`<tbody data-key="${dispatcher} ${name}">
<tr><th scope="row"><bdi>${name}</bdi><small><bdi>${address}</bdi></small></th>${COLUMNS.map(([title, show, numeric]) => html`<td${numeric && html` class="n"`} data-label="${title}">${show(process)}</td>`)}</tr>
</tbody>
`
}

function stateClass(state: ProcessSnapshot['state']): string {
  if (state === 'running') return 'ok'
  if (state === 'backoff') return 'failed'
  return state === 'stopped' ? 'stopped' : 'starting'
}
