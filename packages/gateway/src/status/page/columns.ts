// The columns of the table of members: what they show, and what they are sorted by.

import { BUCKETS } from '@fastcgi/client/internal'
import type { MemberSnapshot, TimesSnapshot } from '../snapshot.ts'
import { type Content, html, type Markup } from './html.ts'
import { bytes, count, milliseconds, rate } from './number-format.ts'
import type { Order } from './query.ts'

/** A column of the table, after the name. */
export interface Column {
  /** Its name in the URL. */
  readonly key: string
  readonly title: string
  /** Whether it has numbers, which begin at the right, and are sorted from the highest on at first. */
  readonly numeric: boolean
  /** What rows are sorted by. */
  readonly sortBy: (member: MemberSnapshot) => number | string
  readonly show: (member: MemberSnapshot) => Content
}

/** States from the worst on. */
const STATES = ['failed', 'failing', 'recovering', 'stopped', 'disabled', 'draining', 'ok']

/** The first column, which is the head of the row. */
export const NAME: Omit<Column, 'show'> = {
  key: 'name',
  title: 'Member',
  numeric: false,
  sortBy: ({ name }) => name,
}

/** The columns after the name. */
export const COLUMNS: readonly Column[] = [
  {
    key: 'state',
    title: 'State',
    numeric: false,
    sortBy: ({ state }) => STATES.indexOf(state),
    show: ({ state }) => html`<span class="state ${state}">${state}</span>`,
  },
  number('weight', 'Weight', ({ weight }) => weight, weight),
  number('load', 'In flight', ({ counters }) => counters.load),
  number('queued', 'Queued', ({ stats }) => stats.queued),
  number('requests', 'Requests', ({ counters }) => counters.connected, requests),
  number('failed', 'Failed', ({ counters }) => counters.failed),
  number(
    'p99',
    'Head p50, p99',
    ({ headTimes }) => sortable(headTimes),
    ({ headTimes }) => quantiles(headTimes),
  ),
  number('connections', 'Connections', ({ stats }) => stats.connections, connections),
  number(
    'bytes',
    'Bytes out, in',
    ({ counters }) => counters.bytesSent + counters.bytesReceived,
    transferred,
  ),
]

function number(
  key: string,
  title: string,
  sortBy: (member: MemberSnapshot) => number,
  show: Column['show'] = (member) => countOf(sortBy(member)),
): Column {
  return { key, title, numeric: true, sortBy, show }
}

/** The members in an order; those that are equal keep their configured order. */
export function sorted(
  members: readonly MemberSnapshot[],
  order: Order | undefined,
): readonly MemberSnapshot[] {
  const column = [NAME, ...COLUMNS].find(({ key }) => key === order?.column)
  if (column === undefined) return members
  const sign = order?.descending ? -1 : 1
  return members.toSorted((a, b) => sign * compare(column.sortBy(a), column.sortBy(b)))
}

function compare(a: number | string, b: number | string): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return String(a).localeCompare(String(b), 'en', { numeric: true })
}

function weight({ weight, share }: MemberSnapshot): Markup {
  const starting = share !== weight
  return html`${weight}${starting && html`<small>now ${Number(share.toPrecision(2))}</small>`}`
}

function requests({ counters, requestsPerSecond }: MemberSnapshot): Markup {
  const now = requestsPerSecond !== null && requestsPerSecond > 0
  return html`${countOf(counters.connected)}${now && html`<small>${rate(requestsPerSecond)}/s</small>`}`
}

function connections({ stats }: MemberSnapshot): Markup {
  return html`${countOf(stats.connections)} <span class="soft">of ${count(stats.limit)}</span>${stats.idle > 0 && html`<small>${count(stats.idle)} idle</small>`}`
}

function transferred({ counters }: MemberSnapshot): Markup {
  return html`${bytes(counters.bytesSent)}<small>in ${bytes(counters.bytesReceived)}</small>`
}

/** A count; zero is shown in grey. */
export function countOf(value: number): Markup {
  return value === 0 ? html`<span class="soft">0</span>` : html`${count(value)}`
}

/** Median, with the 99th percentile below. */
function quantiles({ count, p50, p99 }: TimesSnapshot): Markup {
  if (count === 0) return dash()
  return html`${quantile(p50)}<small>p99 ${quantile(p99)}</small>`
}

/** Those without measurements come below all others, and those above the last bucket above all. */
function sortable({ count, p99 }: TimesSnapshot): number {
  return count === 0 ? -1 : (p99 ?? Number.MAX_VALUE)
}

/** A quantile is known only as the upper bound of its bucket. */
export function quantile(value: number | null): string {
  return value === null ? `> ${milliseconds(BUCKETS.at(-1) ?? 0)}` : `≤ ${milliseconds(value)}`
}

export function dash(): Markup {
  return html`<span class="soft">–</span>`
}
