// The interface between the policies, which decide how many processes run, and the supervisor, which starts and ends them.
/** A process as a policy sees it. Times are milliseconds of one monotonic clock; tests supply their own. */
export interface Worker {
  /** Requests that it is serving. */
  readonly load: number
  /** When its current child was started. */
  readonly startedAt: number
  /** Since when it has had no request; undefined while it has one. */
  readonly idleSince: number | undefined
  /** Total duration of its requests so far; concurrent requests add up. */
  busyTime(now: number): number
}

/** The processes of one application, as a policy sees and controls them. */
export interface Fleet {
  /** All processes except those that are being retired. */
  readonly workers: readonly Worker[]
  /** Requests in the queue, for which no process has capacity. */
  readonly waiting: number
  /** When the oldest of them was queued. */
  readonly waitingSince: number | undefined
  /** Starts a process; returns false, and starts none, if the start throttle does not allow it yet. */
  start(now: number): boolean
  /** Ends a process after its requests are done. */
  retire(worker: Worker): void
}

/** Decides how many processes an application has. */
export interface Policy {
  /** Called about once a second. */
  tick(now: number): void
  /** Called after a request was queued. */
  demand(now: number): void
  /** Whether a process that exited is to be started again. */
  replaces(now: number): boolean
  /** Called when the application is closed. */
  end(): void
}
