// Collects the figures of the status from dispatchers and caches.

import {
  Balancer,
  type Dispatcher,
  type Figures,
  type LastError,
  type LearnedLimit,
  type Member,
  Pool,
} from '@fastcgi/client'
import type { Histogram } from '@fastcgi/client/internal'
import type { GatewayCache } from '../cache/caches.ts'
import { errorAdvice } from '../error-advice.ts'
import { eventsOf } from './event-snapshots.ts'
import type { Histories } from './histories.ts'
import type { Rates } from './rates.ts'
import { routesOf } from './route-names.ts'
import type {
  CacheSnapshot,
  DispatcherSnapshot,
  ErrorSnapshot,
  LimitSnapshot,
  MemberSnapshot,
  ProcessSnapshot,
  ResponseClasses,
  StatusSnapshot,
  TimesSnapshot,
} from './snapshot.ts'
import { unwrap } from './unwrap.ts'

/** What a snapshot is taken of, and what is known from before. */
export interface SnapshotSources {
  readonly dispatchers: Readonly<Record<string, Dispatcher>>
  readonly caches: Readonly<Record<string, GatewayCache>>
  readonly rates: Rates
  readonly histories: Histories
}

/** Takes a snapshot of dispatchers and caches. */
export function takeSnapshot(sources: SnapshotSources): StatusSnapshot {
  const { dispatchers, caches, histories } = sources
  const taken = new Snapshots(sources)
  const all = Object.entries(dispatchers)
  return {
    at: new Date().toISOString(),
    pid: process.pid,
    uptime: Math.floor(process.uptime()),
    dispatchers: all.map(([name, dispatcher]) => taken.dispatcher(name, dispatcher)),
    processes: all.flatMap(([name, dispatcher]) => processSnapshots(name, dispatcher)),
    caches: Object.entries(caches).map(cacheSnapshot),
    events: eventsOf(dispatchers),
    history: histories.total(),
  }
}

class Snapshots {
  readonly #rates: Rates
  readonly #histories: Histories
  readonly #now = performance.now()

  constructor({ rates, histories }: SnapshotSources) {
    this.#rates = rates
    this.#histories = histories
  }

  dispatcher(name: string, dispatcher: Dispatcher): DispatcherSnapshot {
    const { learned: _, ...stats } = dispatcher.stats
    const inner = unwrap(dispatcher)
    const balancer = inner instanceof Balancer ? inner : undefined
    const pool = inner instanceof Pool ? inner : undefined
    return {
      name,
      routes: routesOf(dispatcher),
      kind: balancer !== undefined ? 'balancer' : pool !== undefined ? 'pool' : 'dispatcher',
      method: balancer?.method ?? null,
      stats,
      requestsPerSecond: this.#perSecond(dispatcher, stats.requests),
      members: pool
        ? [this.#pool(pool)]
        : (balancer?.members ?? []).map((member) => this.#member(member)),
      history: this.#histories.of(dispatcher),
    }
  }

  #member(member: Member): MemberSnapshot {
    const { counters, lastError, figures, outSince } = member
    const state = member.state(this.#now)
    return {
      name: member.name,
      status: member.status,
      state: state === 'ok' && figures.failingSince !== undefined ? 'failing' : state,
      since: isoOf(outSince ?? figures.failingSince),
      role: member.role,
      lbset: member.lbset,
      weight: member.weight,
      share: member.share(this.#now),
      route: member.route ?? null,
      redirect: member.redirect ?? null,
      counters: { ...ownCounters(figures), ...counters },
      requestsPerSecond: this.#perSecond(member, counters.connected),
      lastError: errorSnapshot(lastError),
      ...this.#figures(figures, member.dispatcher),
      history: this.#histories.of(member),
    }
  }

  #pool(pool: Pool): MemberSnapshot {
    const { figures } = pool
    const { active } = pool.stats
    const failing = figures.failingSince !== undefined
    return {
      name: pool.address.name,
      status: 'enabled',
      state: failing ? 'failing' : 'ok',
      since: isoOf(figures.failingSince),
      role: 'active',
      lbset: 0,
      weight: 1,
      share: 1,
      route: null,
      redirect: null,
      counters: { ...ownCounters(figures), load: active },
      requestsPerSecond: this.#perSecond(figures, figures.sent),
      lastError: errorSnapshot(figures.lastError),
      ...this.#figures(figures, pool),
      history: this.#histories.of(pool),
    }
  }

  /** What is the same for a member and a pool. */
  #figures(figures: Figures, dispatcher: Dispatcher) {
    const { sent, reused } = figures
    const { learned, ...stats } = dispatcher.stats
    return {
      responses: responseClasses(figures),
      reuse: sent === 0 ? null : reused / sent,
      queueTimes: timesSnapshot(figures.queueTimes),
      connectTimes: timesSnapshot(figures.connectTimes),
      headTimes: timesSnapshot(figures.headTimes),
      totalTimes: timesSnapshot(figures.totalTimes),
      limit: learned === undefined ? null : limitSnapshot(learned),
      stats,
    }
  }

  #perSecond(of: object, count: number): number | null {
    return this.#rates.perSecond(of, count, this.#now) ?? null
  }
}

function ownCounters(figures: Figures): MemberSnapshot['counters'] {
  const { sent, reused, failed, aborted, died, overloaded, bytesSent, bytesReceived } = figures
  const moved = { bytesSent, bytesReceived }
  return {
    connected: sent,
    load: 0,
    died,
    disabled: 0,
    overloaded,
    failed,
    aborted,
    reused,
    ...moved,
  }
}

function responseClasses({ responses }: Figures): ResponseClasses {
  const of = (group: number): number => responses[group] ?? 0
  return { '1xx': of(1), '2xx': of(2), '3xx': of(3), '4xx': of(4), '5xx': of(5), other: of(0) }
}

function errorSnapshot(error: LastError | undefined): ErrorSnapshot | null {
  if (error === undefined) return null
  const { message, code, at } = error
  const remedy = error.remedy ?? (code === undefined ? undefined : errorAdvice(code))
  return { message, at: at.toISOString(), code: code ?? null, remedy: remedy ?? null }
}

function limitSnapshot(learned: LearnedLimit): LimitSnapshot {
  const { adaptive, most, served, waiting, spare, probed, raised, cut } = learned
  const ago = (milliseconds: number | undefined): string | null =>
    milliseconds === undefined ? null : isoOf(new Date(Date.now() - milliseconds))
  const times = { probedAt: ago(probed), raisedAt: ago(raised), cutAt: ago(cut) }
  return { adaptive, most, served, waiting, spare, ...times, reason: reasonOf(learned) }
}

/** Why so many connections may be opened. */
function reasonOf({ adaptive, most, served, waiting, spare }: LearnedLimit): string {
  if (!adaptive) return `at most ${most} (option maxConnections, or reuse is off)`
  if (spare >= most)
    return `up to ${most}: the application has never been seen to lack a worker for one`
  return `${served} have a worker of the application, and ${spare} may wait for another; ${waiting} do`
}

function isoOf(date: Date | undefined): string | null {
  return date?.toISOString() ?? null
}

/** The processes of a process manager, also where it is a member of a balancer. */
function processSnapshots(name: string, dispatcher: Dispatcher): ProcessSnapshot[] {
  const { processes } = dispatcher
  const inner = unwrap(dispatcher)
  if (processes === undefined)
    return inner instanceof Balancer
      ? inner.members.flatMap((member) => processSnapshots(name, member.dispatcher))
      : []
  return processes.map(({ pid, age, lastExit, ...rest }) => ({
    ...rest,
    dispatcher: name,
    pid: pid ?? null,
    age: age ?? null,
    lastExit: lastExit ?? null,
  }))
}

function cacheSnapshot([name, { stats, usage }]: [string, GatewayCache]): CacheSnapshot {
  const { entries = null, bytes = null } = usage ?? {}
  return { name, stats: { ...stats }, entries, bytes }
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
