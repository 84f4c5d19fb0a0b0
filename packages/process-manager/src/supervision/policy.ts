/** What a policy knows of a process. Times are milliseconds of one clock, whichever it is. */
export interface Worker {
  /** Requests it has now. */
  readonly load: number
  readonly startedAt: number
  /** Since when it has had nothing to do; undefined while it has. */
  readonly idleSince: number | undefined
  /** Milliseconds it has spent with requests so far. */
  busyTime(now: number): number
}

/** The processes of one application, as a policy sees them and orders them about. */
export interface Fleet {
  /** Those that are there or will be again, without those on their way out. */
  readonly workers: readonly Worker[]
  /** Requests for which no process has room. */
  readonly waiting: number
  /** When the first of them came. */
  readonly waitingSince: number | undefined
  /** Starts one more; returns whether it may be started now. */
  start(now: number): boolean
  /** Ends one, when what it has is done. */
  retire(worker: Worker): void
}

/** Decides how many processes an application has. */
export interface Policy {
  /** Time has passed, about a second. */
  tick(now: number): void
  /** A request has to wait. */
  demand(now: number): void
  /** Whether one that ended by itself is started again. */
  replaces(now: number): boolean
  /** The application ends. */
  end(): void
}
