// The figures of the status as plain data, from which the formats are made.

import type { CacheStats } from '@fastcgi/cache'
import type {
  DispatcherStats,
  EventKind,
  Member,
  MemberCounters,
  MemberRole,
  MemberStatus,
  MethodName,
  ProcessFigures,
} from '@fastcgi/client'
import type { HistorySnapshot } from './history.ts'

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

/**
 * State of a member: as `Member.state()`, and `failing` for one that fails every request and is given them nevertheless,
 * because there is no other or because failures are ignored.
 */
export type StateName = ReturnType<Member['state']> | 'failing'

/** Counters of a member since the start. */
export interface CountersSnapshot extends Readonly<MemberCounters> {
  /** Requests that failed, without those that were aborted. */
  readonly failed: number
  /** Requests that clients aborted. */
  readonly aborted: number
  /** Requests that were sent on a connection that had carried another before. */
  readonly reused: number
}

/** Complete responses by class of their status. */
export type ResponseClasses = Readonly<Record<StatusClass, number>>

/** Classes of the status of a response; `other` is above 599. */
export type StatusClass = '1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'other'

/** The last failure, and what to do about it. */
export interface ErrorSnapshot {
  readonly message: string
  /** Time in ISO 8601. */
  readonly at: string
  /** `code` of the error, such as `FCGI_CONNECT`; null if a health check has failed. */
  readonly code: string | null
  /** What to do, as a clause without a full stop; null if the message says all. */
  readonly remedy: string | null
}

/** How many connections may be opened to a member, and why. Times in ISO 8601; null if it has not happened. */
export interface LimitSnapshot {
  /** Whether it is learned; false if the option `maxConnections` says it. */
  readonly adaptive: boolean
  /** Connections that are opened at the most, whatever is learned. */
  readonly most: number
  /** Connections that have proved to have a worker. */
  readonly served: number
  /** Connections that wait for a worker, or run a slow script. */
  readonly waiting: number
  /** How many may wait. */
  readonly spare: number
  /** When a connection last found out whether there is another worker. */
  readonly probedAt: string | null
  /** When there last was one, so that more connections may wait. */
  readonly raisedAt: string | null
  /** When there last was none, so that fewer may. */
  readonly cutAt: string | null
  /** The same in words. */
  readonly reason: string
}

/** One member of a balancer; or a pool, which is a member, too: the only one of its dispatcher. */
export interface MemberSnapshot {
  /** Name of the member; of a pool its address. */
  readonly name: string
  /** Status set by configuration or by an operator. */
  readonly status: MemberStatus
  /** Current state, which also depends on failures. */
  readonly state: StateName
  /** Since when it has been failing or out; null if it is not. */
  readonly since: string | null
  readonly role: MemberRole
  readonly lbset: number
  readonly weight: number
  /** Effective weight, lower than `weight` during a slow start. */
  readonly share: number
  /** Route of its sessions. */
  readonly route: string | null
  readonly redirect: string | null
  readonly counters: CountersSnapshot
  readonly responses: ResponseClasses
  readonly requestsPerSecond: number | null
  /** Share of the requests that needed no new connection, 0 to 1; null before the first. */
  readonly reuse: number | null
  /** Time that requests waited for a connection. */
  readonly queueTimes: TimesSnapshot
  /** Time to open a connection. */
  readonly connectTimes: TimesSnapshot
  /** Time from sending a request to the response head. */
  readonly headTimes: TimesSnapshot
  /** Time from the arrival of a request to the end of the response, waiting included. */
  readonly totalTimes: TimesSnapshot
  readonly lastError: ErrorSnapshot | null
  /** Null if its dispatcher does not tell. */
  readonly limit: LimitSnapshot | null
  readonly stats: Readonly<DispatcherStats>
  readonly history: HistorySnapshot
}

/** A balancer, a pool, or another dispatcher. */
export interface DispatcherSnapshot {
  readonly name: string
  /** Names of the routes that use it: their prefix and what they match, such as `/shop/*.php`. */
  readonly routes: readonly string[]
  readonly kind: 'balancer' | 'pool' | 'dispatcher'
  /** Balancing method; null if it is not a balancer. */
  readonly method: MethodName | null
  readonly stats: Readonly<DispatcherStats>
  readonly requestsPerSecond: number | null
  /** The members of a balancer; a pool as the only one; empty for another dispatcher. */
  readonly members: readonly MemberSnapshot[]
  readonly history: HistorySnapshot
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

/** Something that has happened lately. */
export interface EventSnapshot {
  /** Time in ISO 8601; of the last one if it has happened several times. */
  readonly at: string
  readonly kind: EventKind
  /** Name of the dispatcher that it happened to. */
  readonly dispatcher: string
  /** Name of the member or process. */
  readonly member: string
  /** What has happened, in words. */
  readonly message: string
  /** How often in a row. */
  readonly times: number
  /** What to do, as a clause without a full stop; null if nothing is to be done, or the message says it. */
  readonly remedy: string | null
  /** Who has asked for it; null if nobody has, or nobody knows. */
  readonly by: string | null
}

/** A process of a process manager. */
export interface ProcessSnapshot extends Omit<ProcessFigures, 'pid' | 'age' | 'lastExit'> {
  /** Name of the dispatcher that runs it. */
  readonly dispatcher: string
  readonly pid: number | null
  /** Milliseconds since it was started. */
  readonly age: number | null
  readonly lastExit: string | null
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
  readonly processes: readonly ProcessSnapshot[]
  readonly caches: readonly CacheSnapshot[]
  /** The last 50, the latest first. */
  readonly events: readonly EventSnapshot[]
  /** The last 15 minutes of all dispatchers together. */
  readonly history: HistorySnapshot
}
