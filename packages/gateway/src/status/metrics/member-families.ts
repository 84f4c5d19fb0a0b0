// Metrics of requests, members and connections.

import type { DispatcherSnapshot, MemberSnapshot } from '../snapshot.ts'
import { counter, type Family, gauge, histogram, type Value } from './family.ts'
import type { LabelledMember } from './labels.ts'

const STATES = ['ok', 'recovering', 'failing', 'failed', 'draining', 'disabled', 'stopped'] as const

/** What has become of requests, and how long they took. */
export function requestFamilies(
  dispatchers: readonly DispatcherSnapshot[],
  members: readonly LabelledMember[],
  routeOf: (dispatcher: DispatcherSnapshot) => string,
): Family[] {
  const each = eachOf(members)
  const failovers = dispatchers.filter(({ kind }) => kind === 'balancer')
  const waiting = dispatchers.filter(({ kind }) => kind !== 'pool')
  return [
    counter(
      'fastcgi_requests_total',
      'Requests that have ended, by the class of the status of their response; failed: without a complete response; aborted: by the client',
      members.flatMap(({ member, labels }) =>
        Object.entries(endings(member)).map(
          ([status_class, count]): Value => [{ ...labels, status_class }, count],
        ),
      ),
    ),
    counter(
      'fastcgi_errors_total',
      'Requests that failed; died: the application was unreachable or closed the connection; overloaded: it had no room',
      members.flatMap(({ member, labels }) =>
        Object.entries(failures(member)).map(
          ([reason, count]): Value => [{ ...labels, reason }, count],
        ),
      ),
    ),
    counter(
      'fastcgi_retries_total',
      'Requests that were sent again to the same member, because a reused connection had been closed',
      each(({ stats }) => stats.retries),
    ),
    counter(
      'fastcgi_failovers_total',
      'Requests that were sent to another member after one had failed',
      failovers.map(
        (dispatcher): Value => [{ route: routeOf(dispatcher) }, dispatcher.stats.retries],
      ),
    ),
    times(
      members,
      'fastcgi_request_duration_seconds',
      'Time from the arrival of a request to the end of its response',
      'totalTimes',
    ),
    times(
      members,
      'fastcgi_request_queue_duration_seconds',
      'Time that requests waited for a connection',
      'queueTimes',
    ),
    times(
      members,
      'fastcgi_request_head_duration_seconds',
      'Time from sending a request to the head of its response',
      'headTimes',
    ),
    counter(
      'fastcgi_request_bytes_total',
      'Bytes of params and bodies of requests',
      each(({ counters }) => counters.bytesSent),
    ),
    counter(
      'fastcgi_response_bytes_total',
      'Bytes of bodies of responses',
      each(({ counters }) => counters.bytesReceived),
    ),
    gauge(
      'fastcgi_requests_in_flight',
      'Requests under way',
      each(({ counters }) => counters.load),
    ),
    gauge(
      'fastcgi_queue_length',
      'Requests that wait for a connection; without the label member: for a member',
      [
        ...each(({ stats }) => stats.queued),
        ...waiting.map(
          (dispatcher): Value => [{ route: routeOf(dispatcher) }, waitingFor(dispatcher)],
        ),
      ],
    ),
  ]
}

/** The state of members. */
export function memberFamilies(members: readonly LabelledMember[]): Family[] {
  const each = eachOf(members)
  const failed = members.filter(({ member }) => member.lastError !== null)
  return [
    gauge(
      'fastcgi_member_up',
      'Whether the member takes new requests and answers them',
      each(({ state }) => Number(state === 'ok' || state === 'recovering')),
    ),
    gauge(
      'fastcgi_member_state',
      'State of the member: 1 for the one it is in',
      members.flatMap(({ member, labels }) =>
        STATES.map((state): Value => [{ ...labels, state }, Number(member.state === state)]),
      ),
    ),
    gauge(
      'fastcgi_member_weight',
      'Share of the member now',
      each(({ share }) => share),
    ),
    counter(
      'fastcgi_member_outs_total',
      'How many times failures or health checks have taken the member out',
      each(({ counters }) => counters.disabled),
    ),
    gauge(
      'fastcgi_member_last_error_timestamp_seconds',
      'When a request on the member last failed, in seconds since 1970',
      failed.map(
        ({ member, labels }): Value => [labels, Date.parse(member.lastError?.at ?? '') / 1000],
      ),
    ),
  ]
}

/** Connections, and how many there may be. */
export function connectionFamilies(members: readonly LabelledMember[]): Family[] {
  const each = eachOf(members)
  return [
    gauge(
      'fastcgi_connections',
      'Open connections; idle: without a request; waiting: not answered yet, so without a worker or with a slow script; busy: the others',
      members.flatMap(({ member, labels }) =>
        Object.entries(connections(member)).map(
          ([state, count]): Value => [{ ...labels, state }, count],
        ),
      ),
    ),
    gauge(
      'fastcgi_connections_limit',
      'Connections that may be open now',
      each(({ stats }) => stats.limit),
    ),
    counter(
      'fastcgi_connections_opened_total',
      'Connections that were opened',
      each(({ connectTimes }) => connectTimes.count),
    ),
    counter(
      'fastcgi_connections_reused_total',
      'Requests that were sent on a connection that had carried another before',
      each(({ counters }) => counters.reused),
    ),
    times(members, 'fastcgi_connect_duration_seconds', 'Time to open a connection', 'connectTimes'),
  ]
}

function eachOf(members: readonly LabelledMember[]) {
  return (of: (member: MemberSnapshot) => number): Value[] =>
    members.map(({ member, labels }) => [labels, of(member)])
}

function times(
  members: readonly LabelledMember[],
  name: string,
  help: string,
  of: 'totalTimes' | 'queueTimes' | 'headTimes' | 'connectTimes',
): Family {
  return histogram(
    name,
    help,
    members.map(({ member, labels }) => [labels, member[of]] as const),
  )
}

function endings({ responses, counters }: MemberSnapshot): Record<string, number> {
  return { ...responses, failed: counters.failed, aborted: counters.aborted }
}

function failures({ counters }: MemberSnapshot): Record<string, number> {
  const { died, overloaded, failed } = counters
  return { died, overloaded, other: Math.max(0, failed - died - overloaded) }
}

function connections({ stats, limit }: MemberSnapshot): Record<string, number> {
  const { connections, idle } = stats
  const waiting = Math.min(limit?.waiting ?? 0, connections - idle)
  return { idle, waiting, busy: connections - idle - waiting }
}

/** Requests that wait in a balancer, before they have a member. */
function waitingFor({ stats, members }: DispatcherSnapshot): number {
  return Math.max(0, stats.queued - members.reduce((sum, member) => sum + member.stats.queued, 0))
}
