// Adds up the snapshots of several processes, for one status page.

import { quantileOf } from '@fastcgi/client/internal'
import { latest } from './event-snapshots.ts'
import { mergeHistories } from './history.ts'
import type {
  CacheSnapshot,
  DispatcherSnapshot,
  LimitSnapshot,
  MemberSnapshot,
  StatusSnapshot,
  TimesSnapshot,
} from './snapshot.ts'
import { finite } from './take-snapshot.ts'

/** States of a member from good to bad: that of the sum is the worst one. */
const STATES = ['ok', 'recovering', 'draining', 'disabled', 'stopped', 'failing', 'failed']

/**
 * The sum of snapshots. Dispatchers, members and caches of the same name are one; counters and rates are added. Age and process id
 * are those of the first.
 */
export function mergeSnapshots(
  snapshots: readonly [StatusSnapshot, ...StatusSnapshot[]],
): StatusSnapshot {
  const all = snapshots.flatMap(({ dispatchers }) => dispatchers)
  const dispatchers = byName(all).map((same) => same.reduce(addDispatchers))
  const caches = byName(snapshots.flatMap(({ caches }) => caches))
  return {
    ...snapshots[0],
    dispatchers,
    processes: snapshots.flatMap(({ processes }) => processes),
    caches: caches.map((same) => same.reduce(addCaches)),
    events: latest(snapshots.flatMap(({ events }) => events)),
    history: mergeHistories(snapshots.map(({ history }) => history)),
  }
}

/** Groups of the same name, in order of appearance. */
function byName<T extends { readonly name: string }>(items: readonly T[]): T[][] {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(item.name, [...(groups.get(item.name) ?? []), item])
  return [...groups.values()]
}

function addDispatchers(a: DispatcherSnapshot, b: DispatcherSnapshot): DispatcherSnapshot {
  return {
    ...a,
    stats: addNumbers(a.stats, b.stats),
    requestsPerSecond: addNullable(a.requestsPerSecond, b.requestsPerSecond),
    routes: [...new Set([...a.routes, ...b.routes])],
    history: mergeHistories([a.history, b.history]),
    members: byName([...a.members, ...b.members]).map((same) => same.reduce(addMembers)),
  }
}

function addCaches(a: CacheSnapshot, b: CacheSnapshot): CacheSnapshot {
  return {
    ...a,
    stats: addNumbers(a.stats, b.stats),
    entries: addNullable(a.entries, b.entries),
    bytes: addNullable(a.bytes, b.bytes),
  }
}

function addMembers(a: MemberSnapshot, b: MemberSnapshot): MemberSnapshot {
  const worse = STATES.indexOf(a.state) < STATES.indexOf(b.state) ? b : a
  return {
    ...a,
    state: worse.state,
    since: earlier(a.since, b.since),
    counters: addNumbers(a.counters, b.counters),
    responses: addNumbers(a.responses, b.responses),
    reuse: reuseOf(a, b),
    queueTimes: addTimes(a.queueTimes, b.queueTimes),
    connectTimes: addTimes(a.connectTimes, b.connectTimes),
    limit: addLimits(a.limit, b.limit),
    history: mergeHistories([a.history, b.history]),
    requestsPerSecond: addNullable(a.requestsPerSecond, b.requestsPerSecond),
    headTimes: addTimes(a.headTimes, b.headTimes),
    totalTimes: addTimes(a.totalTimes, b.totalTimes),
    lastError: later(a.lastError, b.lastError),
    stats: addNumbers(a.stats, b.stats),
  }
}

type LastError = MemberSnapshot['lastError']

function later(a: LastError, b: LastError): LastError {
  return a === null || (b !== null && b.at > a.at) ? b : a
}

function earlier(a: string | null, b: string | null): string | null {
  return a === null || (b !== null && b < a) ? b : a
}

function latestTime(a: string | null, b: string | null): string | null {
  return a === null || (b !== null && b > a) ? b : a
}

function reuseOf(a: MemberSnapshot, b: MemberSnapshot): number | null {
  const sent = a.counters.connected + b.counters.connected
  return sent === 0 ? null : (a.counters.reused + b.counters.reused) / sent
}

function addLimits(a: LimitSnapshot | null, b: LimitSnapshot | null): LimitSnapshot | null {
  if (a === null || b === null) return a ?? b
  return {
    ...addNumbers(a, b),
    probedAt: latestTime(a.probedAt, b.probedAt),
    raisedAt: latestTime(a.raisedAt, b.raisedAt),
    cutAt: latestTime(a.cutAt, b.cutAt),
    reason: `in each process: ${a.reason.replace(/^in each process: /, '')}`,
  }
}

/** Adds the numbers of two objects; other properties are those of the first. */
function addNumbers<T extends object>(a: T, b: T): T {
  const sums = Object.entries(a).map(([name, value]) => {
    const other: unknown = Reflect.get(b, name)
    return [name, typeof value === 'number' && typeof other === 'number' ? value + other : value]
  })
  return Object.fromEntries(sums)
}

function addNullable(a: number | null, b: number | null): number | null {
  return a === null ? b : a + (b ?? 0)
}

function addTimes(a: TimesSnapshot, b: TimesSnapshot): TimesSnapshot {
  const counts = a.counts.map((count, at) => count + (b.counts[at] ?? 0))
  const count = a.count + b.count
  const sum = a.sum + b.sum
  return {
    count,
    sum,
    mean: count === 0 ? null : sum / count,
    p50: finite(quantileOf(counts, count, 0.5)),
    p99: finite(quantileOf(counts, count, 0.99)),
    counts,
  }
}
