import {
  Balancer,
  type Dispatcher,
  type DispatcherStats,
  FastCGIClient,
  type Member,
  type MemberCounters,
  type MemberRole,
  type MemberStatus,
  type MethodName,
  Pool,
} from '@fastcgi/client'
import type { Histogram } from '@fastcgi/client/internal'
import type { Rates } from './rates.ts'

/** How long things took, in milliseconds. */
export interface TimesSnapshot {
  readonly count: number
  readonly sum: number
  readonly mean: number | null
  /** Upper bound of the bucket it lies in; null without observations, and beyond the last bound. */
  readonly p50: number | null
  readonly p99: number | null
  /** Observations by bucket, not cumulated; the last one is what is beyond the bounds. */
  readonly counts: readonly number[]
}

/** One member of a balancer. */
export interface MemberSnapshot {
  readonly name: string
  /** What an operator wants of it. */
  readonly status: MemberStatus
  /** How it fares. */
  readonly state: ReturnType<Member['state']>
  readonly role: MemberRole
  readonly lbset: number
  readonly weight: number
  /** Its weight now, less while it starts slowly. */
  readonly share: number
  readonly route: string | null
  readonly redirect: string | null
  readonly counters: Readonly<MemberCounters>
  readonly requestsPerSecond: number | null
  /** Until the response head. */
  readonly headTimes: TimesSnapshot
  /** Until the end of the response. */
  readonly totalTimes: TimesSnapshot
  readonly lastError: { readonly message: string; readonly at: string } | null
  readonly stats: Readonly<DispatcherStats>
}

/** A balancer, a pool, or whatever else carries requests. */
export interface DispatcherSnapshot {
  readonly name: string
  readonly kind: 'balancer' | 'pool' | 'dispatcher'
  /** How a balancer chooses; null where it is none. */
  readonly method: MethodName | null
  readonly stats: Readonly<DispatcherStats>
  readonly requestsPerSecond: number | null
  /** None where it is no balancer. */
  readonly members: readonly MemberSnapshot[]
}

/** All there is to know at a moment; plain data. */
export interface StatusSnapshot {
  readonly at: string
  /** Each process has counters and members of its own. */
  readonly pid: number
  /** Seconds. */
  readonly uptime: number
  readonly dispatchers: readonly DispatcherSnapshot[]
}

/** Takes a snapshot. */
export function takeSnapshot(
  dispatchers: Readonly<Record<string, Dispatcher>>,
  rates: Rates,
): StatusSnapshot {
  const now = performance.now()
  return {
    at: new Date().toISOString(),
    pid: process.pid,
    uptime: Math.floor(process.uptime()),
    dispatchers: Object.entries(dispatchers).map(([name, dispatcher]) =>
      dispatcherSnapshot(name, dispatcher, rates, now),
    ),
  }
}

/** The balancer behind a dispatcher, if it is one. */
export function balancerOf(dispatcher: Dispatcher): Balancer | undefined {
  const inner = unwrap(dispatcher)
  return inner instanceof Balancer ? inner : undefined
}

function unwrap(dispatcher: Dispatcher): Dispatcher {
  return dispatcher instanceof FastCGIClient ? unwrap(dispatcher.dispatcher) : dispatcher
}

function dispatcherSnapshot(
  name: string,
  dispatcher: Dispatcher,
  rates: Rates,
  now: number,
): DispatcherSnapshot {
  const stats = { ...dispatcher.stats }
  const balancer = balancerOf(dispatcher)
  const members = balancer?.members
  const kind = unwrap(dispatcher) instanceof Pool ? 'pool' : 'dispatcher'
  return {
    name,
    kind: members === undefined ? kind : 'balancer',
    method: balancer?.method ?? null,
    stats,
    requestsPerSecond: rates.perSecond(dispatcher, stats.requests, now) ?? null,
    members: (members ?? []).map((member) => memberSnapshot(member, rates, now)),
  }
}

function memberSnapshot(member: Member, rates: Rates, now: number): MemberSnapshot {
  const { counters, lastError } = member
  return {
    name: member.name,
    status: member.status,
    state: member.state(now),
    role: member.role,
    lbset: member.lbset,
    weight: member.weight,
    share: member.share(now),
    route: member.route ?? null,
    redirect: member.redirect ?? null,
    counters: { ...counters },
    requestsPerSecond: rates.perSecond(member, counters.connected, now) ?? null,
    headTimes: timesSnapshot(member.headTimes),
    totalTimes: timesSnapshot(member.totalTimes),
    lastError:
      lastError === undefined
        ? null
        : { message: lastError.message, at: lastError.at.toISOString() },
    stats: { ...member.dispatcher.stats },
  }
}

function timesSnapshot(times: Histogram): TimesSnapshot {
  const { count, sum } = times
  return {
    count,
    sum,
    mean: count === 0 ? null : sum / count,
    p50: finite(times.quantile(0.5)),
    p99: finite(times.quantile(0.99)),
    counts: [...times.counts],
  }
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null
}
