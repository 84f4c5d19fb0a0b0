// Adds up the snapshots of several processes, for one status page.

import { quantileOf } from '@fastcgi/client/internal'
import {
  type CacheSnapshot,
  type DispatcherSnapshot,
  finite,
  type MemberSnapshot,
  type StatusSnapshot,
  type TimesSnapshot,
} from './snapshot.ts'

/** States of a member from good to bad: that of the sum is the worst one. */
const STATES = ['ok', 'recovering', 'draining', 'disabled', 'stopped', 'failed']

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
  return { ...snapshots[0], dispatchers, caches: caches.map((same) => same.reduce(addCaches)) }
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
    counters: addNumbers(a.counters, b.counters),
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
