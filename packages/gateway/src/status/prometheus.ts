// The status in Prometheus's text exposition format.

import { BUCKETS } from '@fastcgi/client/internal'
import type {
  CacheSnapshot,
  DispatcherSnapshot,
  MemberSnapshot,
  StatusSnapshot,
  TimesSnapshot,
} from './snapshot.ts'

/** Media type of Prometheus's text exposition format. */
export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

type Labels = Readonly<Record<string, string>>
type Sample = readonly [labels: Labels, value: number]

const STATES = ['ok', 'recovering', 'failing', 'failed', 'draining', 'disabled', 'stopped'] as const
const GAUGES = {
  connections: 'Connections that are open or being opened',
  idle: 'Connections that wait for a request',
  active: 'Requests on connections',
  queued: 'Requests that wait for a connection',
  limit: 'Connections that are opened at the most now',
} as const

/** Writes a snapshot in Prometheus's text exposition format 0.0.4. */
export function prometheusText(snapshot: StatusSnapshot): string {
  const { dispatchers } = snapshot
  const members = dispatchers.flatMap((dispatcher) =>
    dispatcher.members.map((member) => ({
      member,
      labels: { dispatcher: dispatcher.name, member: member.name },
    })),
  )
  return [
    ...dispatcherMetrics(dispatchers),
    ...memberMetrics(members),
    ...memberTimes(members),
    ...poolMetrics(dispatchers, members),
    ...cacheMetrics(snapshot.caches),
  ].join('')
}

interface LabelledMember {
  readonly member: MemberSnapshot
  readonly labels: Labels
}

function dispatcherMetrics(dispatchers: readonly DispatcherSnapshot[]): string[] {
  const perDispatcher = (of: (dispatcher: DispatcherSnapshot) => number): Sample[] =>
    dispatchers.map((dispatcher) => [{ dispatcher: dispatcher.name }, of(dispatcher)])
  return [
    metric('fastcgi_requests_total', 'counter', 'Requests taken', [
      ...perDispatcher(({ stats }) => stats.requests),
    ]),
    metric('fastcgi_failed_total', 'counter', 'Requests that ended with an error', [
      ...perDispatcher(({ stats }) => stats.failed),
    ]),
    metric('fastcgi_retries_total', 'counter', 'Attempts beyond the first', [
      ...perDispatcher(({ stats }) => stats.retries),
    ]),
    metric('fastcgi_queued', 'gauge', 'Requests that wait for a member or a connection', [
      ...perDispatcher(({ stats }) => stats.queued),
    ]),
  ]
}

function memberMetrics(members: readonly LabelledMember[]): string[] {
  const perMember = (of: (member: MemberSnapshot) => number): Sample[] =>
    members.map(({ member, labels }) => [labels, of(member)])
  return [
    metric('fastcgi_member_up', 'gauge', 'Whether the member takes new requests', [
      ...perMember(({ state }) => Number(state === 'ok' || state === 'recovering')),
    ]),
    metric(
      'fastcgi_member_state',
      'gauge',
      'State of the member: 1 for the one it is in',
      members.flatMap(({ member, labels }) =>
        STATES.map((state): Sample => [{ ...labels, state }, Number(member.state === state)]),
      ),
    ),
    metric('fastcgi_member_requests_total', 'counter', 'Requests given to the member', [
      ...perMember(({ counters }) => counters.connected),
    ]),
    metric('fastcgi_member_load', 'gauge', 'Requests under way on the member', [
      ...perMember(({ counters }) => counters.load),
    ]),
    metric('fastcgi_member_weight', 'gauge', 'Share of the member now', [
      ...perMember(({ share }) => share),
    ]),
    metric('fastcgi_member_died_total', 'counter', 'Connections that failed or died', [
      ...perMember(({ counters }) => counters.died),
    ]),
    metric('fastcgi_member_disabled_total', 'counter', 'Times the member was taken out', [
      ...perMember(({ counters }) => counters.disabled),
    ]),
    metric('fastcgi_member_overloaded_total', 'counter', 'Times the member had no room', [
      ...perMember(({ counters }) => counters.overloaded),
    ]),
    metric('fastcgi_member_bytes_sent_total', 'counter', 'Bytes of requests', [
      ...perMember(({ counters }) => counters.bytesSent),
    ]),
    metric('fastcgi_member_bytes_received_total', 'counter', 'Bytes of responses', [
      ...perMember(({ counters }) => counters.bytesReceived),
    ]),
  ]
}

function memberTimes(members: readonly LabelledMember[]): string[] {
  return [
    histogram(
      'fastcgi_member_head_seconds',
      'Time to the response head',
      members.map(({ member, labels }) => [labels, member.headTimes]),
    ),
    histogram(
      'fastcgi_member_response_seconds',
      'Time to the end of the response',
      members.map(({ member, labels }) => [labels, member.totalTimes]),
    ),
  ]
}

/** Gauges of every pool: of a dispatcher that is not a balancer, and of each member of a balancer. */
function poolMetrics(
  dispatchers: readonly DispatcherSnapshot[],
  members: readonly LabelledMember[],
): string[] {
  const pools = [
    ...dispatchers
      .filter(({ kind }) => kind !== 'balancer')
      .map(({ name, stats }) => ({ labels: { dispatcher: name }, stats })),
    ...members.map(({ member, labels }) => ({ labels, stats: member.stats })),
  ]
  return (Object.keys(GAUGES) as Array<keyof typeof GAUGES>).map((gauge) =>
    metric(
      `fastcgi_pool_${gauge}`,
      'gauge',
      GAUGES[gauge],
      pools.map(({ labels, stats }): Sample => [labels, stats[gauge]]),
    ),
  )
}

/** What happened to requests, as counters of one metric; and what is stored. */
function cacheMetrics(caches: readonly CacheSnapshot[]): string[] {
  const events = caches.flatMap(({ name, stats }) =>
    Object.entries(stats).map(([event, count]): Sample => [{ cache: name, event }, count]),
  )
  const known = caches.filter(({ bytes }) => bytes !== null)
  return [
    metric('fastcgi_cache_events_total', 'counter', 'What the cache did with requests', events),
    metric('fastcgi_cache_entries', 'gauge', 'URLs with a stored response', [
      ...known.map(({ name, entries }): Sample => [{ cache: name }, entries ?? 0]),
    ]),
    metric('fastcgi_cache_bytes', 'gauge', 'Bytes of stored responses', [
      ...known.map(({ name, bytes }): Sample => [{ cache: name }, bytes ?? 0]),
    ]),
  ]
}

function metric(name: string, type: string, help: string, samples: readonly Sample[]): string {
  if (samples.length === 0) return ''
  return (
    metricHeader(name, type, help) +
    samples.map(([labels, value]) => sampleLine(name, labels, value)).join('')
  )
}

function histogram(
  name: string,
  help: string,
  samples: ReadonlyArray<readonly [Labels, TimesSnapshot]>,
): string {
  if (samples.length === 0) return ''
  const series = samples.map(([labels, { counts, count, sum }]) => {
    let cumulated = 0
    const buckets = counts.map((inBucket, at) => {
      cumulated += inBucket
      const bound = BUCKETS[at]
      const le = bound === undefined ? '+Inf' : String(bound / 1000)
      return sampleLine(`${name}_bucket`, { ...labels, le }, cumulated)
    })
    return [
      ...buckets,
      sampleLine(`${name}_sum`, labels, sum / 1000),
      sampleLine(`${name}_count`, labels, count),
    ].join('')
  })
  return metricHeader(name, 'histogram', help) + series.join('')
}

function metricHeader(name: string, type: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
}

function sampleLine(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
  return `${name}{${pairs.join(',')}} ${formatValue(value)}\n`
}

function escapeLabel(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')
}

/** The format writes `+Inf` where JavaScript writes `Infinity`. */
function formatValue(value: number): string {
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : value < 0 ? '-Inf' : 'NaN'
}
