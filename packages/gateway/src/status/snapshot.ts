// Collects the figures of the status as plain data, from which the formats are made.

import type { CacheStats } from '@fastcgi/cache'
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
import type { GatewayCache } from '../cache/caches.ts'
import type { Rates } from './rates.ts'

/** Distribution of durations, in milliseconds. */
export interface TimesSnapshot {
  readonly count: number
  readonly sum: number
  readonly mean: number | null
  /** Upper bound of the bucket of the quantile; null without observations or above the last bound. */
  readonly p50: number | null
  readonly p99: number | null
  /** Observations by bucket, not cumulative; the last bucket has those above the last bound. */
  readonly counts: readonly number[]
}

/** One member of a balancer. */
export interface MemberSnapshot {
  readonly name: string
  /** Status set by configuration or by an operator. */
  readonly status: MemberStatus
  /** Current state, which also depends on failures. */
  readonly state: ReturnType<Member['state']>
  readonly role: MemberRole
  readonly lbset: number
  readonly weight: number
  /** Effective weight, lower than `weight` during a slow start. */
  readonly share: number
  readonly route: string | null
  readonly redirect: string | null
  readonly counters: Readonly<MemberCounters>
  readonly requestsPerSecond: number | null
  /** Time to the response head. */
  readonly headTimes: TimesSnapshot
  /** Time to the end of the response. */
  readonly totalTimes: TimesSnapshot
  readonly lastError: { readonly message: string; readonly at: string } | null
  readonly stats: Readonly<DispatcherStats>
}

/** A balancer, a pool, or another dispatcher. */
export interface DispatcherSnapshot {
  readonly name: string
  readonly kind: 'balancer' | 'pool' | 'dispatcher'
  /** Balancing method; null if it is not a balancer. */
  readonly method: MethodName | null
  readonly stats: Readonly<DispatcherStats>
  readonly requestsPerSecond: number | null
  /** Empty if it is not a balancer. */
  readonly members: readonly MemberSnapshot[]
}

/** The cache of a gateway. */
export interface CacheSnapshot {
  readonly name: string
  readonly stats: Readonly<CacheStats>
  /** URLs with a stored response; null if the store does not say. */
  readonly entries: number | null
  /** Bytes in use; null if the store does not say. */
  readonly bytes: number | null
}

/** The status at one moment, as plain data. */
export interface StatusSnapshot {
  /** Time in ISO 8601. */
  readonly at: string
  /** Process id; each process has counters and members of its own. */
  readonly pid: number
  /** Seconds since the process started. */
  readonly uptime: number
  readonly dispatchers: readonly DispatcherSnapshot[]
  readonly caches: readonly CacheSnapshot[]
}

/** Takes a snapshot of dispatchers and caches. */
export function takeSnapshot(
  dispatchers: Readonly<Record<string, Dispatcher>>,
  rates: Rates,
  caches: Readonly<Record<string, GatewayCache>> = {},
): StatusSnapshot {
  const now = performance.now()
  return {
    at: new Date().toISOString(),
    pid: process.pid,
    uptime: Math.floor(process.uptime()),
    dispatchers: Object.entries(dispatchers).map(([name, dispatcher]) =>
      dispatcherSnapshot(name, dispatcher, rates, now),
    ),
    caches: Object.entries(caches).map(([name, { stats, usage }]) => ({
      name,
      stats: { ...stats },
      entries: usage?.entries ?? null,
      bytes: usage?.bytes ?? null,
    })),
  }
}

/** The balancer of a dispatcher, also if a FastCGIClient wraps it; undefined if there is none. */
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

/** A number that JSON has; null for any other. */
export function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null
}
