// The last minutes of a dispatcher or member in four charts.

import type { HistorySnapshot } from '../history.ts'
import { chart } from './chart.ts'
import { html, type Markup } from './html.ts'
import { count, milliseconds, rate } from './number-format.ts'

/** The charts of a history; false if it has only begun. */
export function charts(history: HistorySnapshot): Markup | false {
  const { requests, failures, p50, p99, queue, step } = history
  if (requests.every((value) => value === null)) return false
  const minutes = Math.round((requests.length * step) / 60_000)
  const rates = requests.map((value) => (value === null ? null : (value * 1000) / step))
  return html`<div class="charts" data-key="charts">
${chart({ title: 'Requests per second', lines: [rates], minutes, format: rate })}
${chart({ title: `Failures in ${step / 1000} s`, lines: [failures], minutes, format: count, bad: true })}
${chart({ title: 'Time p50 / p99', lines: [p50, p99], minutes, format: milliseconds })}
${chart({ title: 'Waiting', lines: [queue], minutes, format: count })}
</div>`
}
