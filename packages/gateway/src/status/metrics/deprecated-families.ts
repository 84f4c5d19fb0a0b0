// Metrics by the names that they had before those of families.ts; they will be removed in the version after the next.

import type { DispatcherSnapshot, MemberSnapshot } from '../snapshot.ts'
import { counter, type Family, gauge, histogram, type Labels, type Value } from './family.ts'

interface OldMember {
  readonly member: MemberSnapshot
  readonly labels: Labels
}

/** Their HELP says what to use instead. */
export function deprecatedFamilies(dispatchers: readonly DispatcherSnapshot[]): Family[] {
  const members = dispatchers
    .filter(({ kind }) => kind === 'balancer')
    .flatMap(({ name, members }) =>
      members.map((member) => ({ member, labels: { dispatcher: name, member: member.name } })),
    )
  return [...ofDispatchers(dispatchers), ...ofMembers(members), ...ofPools(dispatchers, members)]
}

function ofDispatchers(dispatchers: readonly DispatcherSnapshot[]): Family[] {
  const each = (of: (dispatcher: DispatcherSnapshot) => number): Value[] =>
    dispatchers.map((dispatcher) => [{ dispatcher: dispatcher.name }, of(dispatcher)])
  return [
    counter(
      'fastcgi_failed_total',
      instead('fastcgi_errors_total'),
      each(({ stats }) => stats.failed),
    ),
    gauge(
      'fastcgi_queued',
      instead('fastcgi_queue_length'),
      each(({ stats }) => stats.queued),
    ),
  ]
}

function ofMembers(members: readonly OldMember[]): Family[] {
  const each = (of: (member: MemberSnapshot) => number): Value[] =>
    members.map(({ member, labels }) => [labels, of(member)])
  const counted = (name: string, now: string, of: (member: MemberSnapshot) => number): Family =>
    counter(`fastcgi_member_${name}_total`, instead(now), each(of))
  const timed = (name: string, now: string, of: 'headTimes' | 'totalTimes'): Family =>
    histogram(
      `fastcgi_member_${name}_seconds`,
      instead(now),
      members.map(({ member, labels }) => [labels, member[of]] as const),
    )
  return [
    counted('requests', 'fastcgi_requests_total', ({ counters }) => counters.connected),
    gauge(
      'fastcgi_member_load',
      instead('fastcgi_requests_in_flight'),
      each(({ counters }) => counters.load),
    ),
    counted('died', 'fastcgi_errors_total', ({ counters }) => counters.died),
    counted('disabled', 'fastcgi_member_outs_total', ({ counters }) => counters.disabled),
    counted('overloaded', 'fastcgi_errors_total', ({ counters }) => counters.overloaded),
    counted('bytes_sent', 'fastcgi_request_bytes_total', ({ counters }) => counters.bytesSent),
    counted(
      'bytes_received',
      'fastcgi_response_bytes_total',
      ({ counters }) => counters.bytesReceived,
    ),
    timed('head', 'fastcgi_request_head_duration_seconds', 'headTimes'),
    timed('response', 'fastcgi_request_duration_seconds', 'totalTimes'),
  ]
}

const POOL_GAUGES = {
  connections: 'fastcgi_connections',
  idle: 'fastcgi_connections',
  active: 'fastcgi_requests_in_flight',
  queued: 'fastcgi_queue_length',
  limit: 'fastcgi_connections_limit',
} as const

function ofPools(
  dispatchers: readonly DispatcherSnapshot[],
  members: readonly OldMember[],
): Family[] {
  const pools = [
    ...dispatchers
      .filter(({ kind }) => kind !== 'balancer')
      .map(({ name, stats }) => ({ labels: { dispatcher: name }, stats })),
    ...members.map(({ member, labels }) => ({ labels, stats: member.stats })),
  ]
  return (Object.keys(POOL_GAUGES) as Array<keyof typeof POOL_GAUGES>).map((name) =>
    gauge(
      `fastcgi_pool_${name}`,
      instead(POOL_GAUGES[name]),
      pools.map(({ labels, stats }): Value => [labels, stats[name]]),
    ),
  )
}

function instead(name: string): string {
  return `Deprecated, will be removed; use ${name}`
}
