// Decides which request goes to which connection, and when: the part of a pool that does no I/O.
import { AfterWork, type MeasuredScript } from './after-work.ts'
import type { Clock, Timer } from './clock.ts'
import { ConcurrencyLimit, type ConcurrencyLimitOptions } from './concurrency-limit.ts'
import { Connections, type KeepSettings, type PooledConnection } from './connections.ts'
import { type Queueable, RequestQueue } from './request-queue.ts'

/** Milliseconds without a completed request after which queued requests get connections beyond the limit. */
const STALL_TIME = 40

/** Milliseconds for which the listen backlog is taken to be full after a connection did not get in. */
const BACKLOG_FULL_TIME = 1000

/** Milliseconds by which a timer is late when this process was held up; also the shortest time of the stall timer. */
const LATE = 5

/** A request, as far as the scheduler is concerned. */
export interface ScheduledRequest extends Queueable, MeasuredScript {
  /** Whether idle connections are not used for it. */
  readonly needsNewConnection: boolean
  /** Time; older connections are not shared with it. */
  readonly minCreatedAt: number
}

/** A connection, as far as the scheduler is concerned. The script is that of the last request. */
export interface ScheduledConnection extends PooledConnection, MeasuredScript {
  /** The script of the request before the last; undefined after the first request. */
  readonly previousScript: string | undefined
  readonly previousIdempotent: boolean
  /** Milliseconds from the end of the last response until the application closed its half; NaN if not known, undefined if it did not. */
  readonly afterWork: number | undefined
}

/** Options of a {@link Scheduler}. */
export interface SchedulerOptions extends KeepSettings, ConcurrencyLimitOptions {
  /** See PoolOptions. */
  queueTimeout: number
}

/** What a scheduler has done for it. */
export interface SchedulerHost<Connection, Request> {
  /** Whether a connection accepts several requests at the same time, so that it does not hold a worker. */
  readonly shares: boolean
  /** Maximum number of connections that the application has reported. */
  readonly maxConnections: number
  /** Whether the application has as many active requests as it has reported to support. */
  readonly full: boolean
  /** Whether connections are not kept any more. */
  readonly closing: boolean
  /** Makes a connection, which is not opened yet. */
  create(now: number): Connection
  /** Opens a connection, and sends a request on it. */
  open(connection: Connection, request: Request): void
  /** Sends a request on an open connection. */
  run(connection: Connection, request: Request, now: number): void
  /** A request has waited in the queue for longer than `queueTimeout`; it has been removed. */
  onQueueTimeout(request: Request): void
}

/**
 * Serves requests with the connections of a pool, in order of arrival.
 *
 * Invariant: a request waits in the queue only while as many connections are open as the application is thought to
 * serve, and requests complete on them. When nothing completes for {@link STALL_TIME}, queued requests get
 * connections beyond the limit: one, then 4, 16…, until a request completes. A wrong limit thus costs milliseconds, and
 * a request waits in the listen backlog, as it would without reuse, where the application is busy indeed.
 */
export class Scheduler<
  Connection extends ScheduledConnection,
  Request extends ScheduledRequest & { previous: Request | undefined; next: Request | undefined },
> {
  readonly connections: Connections<Connection>
  readonly queue: RequestQueue<Request>
  readonly afterWork: AfterWork = new AfterWork()
  readonly #host: SchedulerHost<Connection, Request>
  readonly #clock: Clock
  readonly #limit: ConcurrencyLimit<Connection>
  #yieldTimer: Timer | undefined
  #stallTimer: Timer | undefined
  #backlogFullUntil = 0
  /** When the stall timer fires. */
  #stallAt = 0
  /** When a request last completed, or the queue got its first request, or a stall was dealt with. */
  #movedAt = 0
  /** How many connections the next stall opens. */
  #stallStep = 1
  #serving = false

  constructor(options: SchedulerOptions, host: SchedulerHost<Connection, Request>, clock: Clock) {
    this.#host = host
    this.#clock = clock
    this.connections = new Connections<Connection>(options, clock)
    this.queue = new RequestQueue(options.queueTimeout, (request) => host.onQueueTimeout(request))
    this.#limit = new ConcurrencyLimit<Connection>(options)
  }

  /** The current maximum number of connections. */
  limit(now: number): number {
    return Math.min(this.#limit.value(now), this.#host.maxConnections)
  }

  /** Sends a request if a connection is available or may be opened. Returns false if it has to be queued. */
  start(request: Request, now: number): boolean {
    const { idle } = this.connections
    // Nothing overtakes a waiting connection where the order is kept strictly.
    if (idle > 0 && this.#limit.isStrict(now) && this.#mustYield(now))
      this.connections.closeOneIdle()
    const needsNew = this.#needsNewConnection(request, now)
    const connection = this.#connectionFor(request, needsNew, now)
    // Closing an idle connection frees a worker to accept the new one.
    if (connection === undefined && needsNew) this.connections.closeOneIdle()
    if (connection !== undefined) this.#host.run(connection, request, now)
    else if (this.#mayOpen(now)) this.#open(request, now)
    else return false
    return true
  }

  /** Adds a request to the queue. */
  enqueue(request: Request, now: number): void {
    if (this.queue.size === 0) this.#movedAt = now
    this.queue.push(request, now)
    if (this.#limit.raise(now)) this.serveQueue()
    else this.#watchStall(now)
  }

  /** Sends queued requests as long as connections are available. */
  serveQueue(): void {
    // Closing an expired connection in this loop calls onClosed(), which would start the loop again.
    if (this.#serving) return
    this.#serving = true
    try {
      for (let next = this.queue.first; next !== undefined; next = this.queue.first) {
        const now = this.#clock.now()
        const needsNew = this.#needsNewConnection(next, now)
        const connection = this.#connectionFor(next, needsNew, now)
        if (connection === undefined && !this.#mayOpen(now)) break
        this.queue.remove(next)
        if (connection !== undefined) this.#host.run(connection, next, now)
        else this.#open(next, now)
      }
    } finally {
      this.#serving = false
    }
    if (this.queue.size > 0) this.#watchStall(this.#clock.now())
  }

  /** Stops all timers. */
  stop(): void {
    this.connections.stop()
    this.#clock.clear(this.#yieldTimer)
    this.#clock.clear(this.#stallTimer)
  }

  // ---- events of connections

  /** The first bytes of a response arrived, `elapsed` milliseconds after its request was sent. */
  onAnswer(connection: Connection, elapsed: number, now: number): void {
    const { previousScript, previousIdempotent } = connection
    if (previousScript !== undefined)
      this.afterWork.nextAnswered(previousScript, previousIdempotent, elapsed)
    this.#limit.answered(connection, elapsed, now)
    this.connections.contended = this.#limit.isContended(now)
  }

  /** A response is complete, no other request is active, and the connection can be used again. */
  onIdle(connection: Connection, now: number): void {
    this.#movedAt = now
    this.#stallStep = 1
    if (this.#host.closing) connection.destroy()
    else if (this.#mustEnd(connection, now)) this.#finish(connection, now)
    else {
      const next = this.queue.shift()
      if (next === undefined) {
        this.connections.addIdle(connection, now)
        this.#watchWaiting(now)
      } else {
        this.#host.run(connection, next, now)
        if (this.queue.size > 0 && this.#limit.raise(now)) this.serveQueue()
      }
    }
  }

  /** The listen backlog was full, so connections beyond the limit would only fail. */
  onBacklogFull(now: number): void {
    this.#backlogFullUntil = now + BACKLOG_FULL_TIME
  }

  /** A connection was closed. */
  onClosed(connection: Connection): void {
    const now = this.#clock.now()
    if (this.connections.remove(connection)) this.#recordAfterWork(connection, now)
    this.#limit.closed(connection, now)
    this.serveQueue()
  }

  /** Returns an open connection for the request, if there is one. */
  #connectionFor(request: Request, needsNew: boolean, now: number): Connection | undefined {
    const host = this.#host
    if (host.full) return undefined
    const shared = host.shares
      ? this.connections.findShareable(request.minCreatedAt, now)
      : undefined
    return shared ?? (needsNew ? undefined : this.connections.takeIdle(now))
  }

  #mayOpen(now: number): boolean {
    return this.#held(now) < this.limit(now) && !this.#host.full
  }

  // The maximum that the user has set counts sockets, the one that is learned counts workers.
  #held(now: number): number {
    return this.#limit.adaptive ? this.connections.held(now) : this.connections.size
  }

  #open(request: Request, now: number): void {
    const connection = this.#host.create(now)
    this.connections.add(connection)
    this.#limit.opened(connection, now)
    this.#host.open(connection, request)
    if (this.connections.finishing > 0 && this.#mayYield) this.#watchWaiting(now)
  }

  /** Whether a connection that has completed a request must be closed rather than kept. */
  #mustEnd(connection: Connection, now: number): boolean {
    const next = this.queue.first
    // An idle connection would hold a worker that others wait for.
    if (next === undefined ? this.connections.contended : this.#needsNewConnection(next, now))
      return true
    if (this.connections.isExpired(connection, now)) return true
    // The worker of a script with after-work is not free yet, so it is not the one that a waiting connection gets.
    if (!this.#host.shares && this.afterWork.mustClose(connection, now)) return true
    return this.#mustYield(now)
  }

  /**
   * Whether no kept connection is used for a request. One for a script with after-work would be closed after it anyway,
   * and the script must not overtake the connections of others that wait for a worker.
   */
  #needsNewConnection(request: Request, now: number): boolean {
    if (request.needsNewConnection) return true
    if (this.#host.shares) return false
    const afterWork = this.afterWork.timeOf(request, now)
    if (afterWork > 0) this.#limit.workedOn(afterWork, now)
    return afterWork > 0
  }

  // An application that multiplexes does not need a worker for each connection, so none has to yield.
  #mustYield(now: number): boolean {
    return !this.#host.shares && this.#limit.mustYield(now)
  }

  #finish(connection: Connection, now: number): void {
    // Where requests share a connection, the next one does not wait for the end of the last.
    if (this.#host.shares) connection.destroy()
    else {
      const worksOn = this.afterWork.timeOf(connection, now) > 0
      this.afterWork.begin(connection, now)
      this.connections.finish(connection, this.afterWork.timeout, now, worksOn)
    }
    this.serveQueue()
  }

  #recordAfterWork(connection: Connection, now: number): void {
    const { afterWork } = connection
    if (Number.isNaN(afterWork)) this.afterWork.closedUnseen(connection, now)
    else if (afterWork !== undefined) {
      this.afterWork.measured(connection, afterWork, now)
      if (this.afterWork.timeOf(connection, now) > 0) this.#limit.workedOn(afterWork, now)
    } else if (!this.#host.closing)
      this.afterWork.gaveUp(connection, now - connection.idleSince, now)
  }

  // ---- idle connections beside waiting ones

  /** Schedules a check whether an idle connection must be closed for a waiting one: it occupies a worker, too. */
  #watchWaiting(now: number): void {
    if (this.#yieldTimer !== undefined || this.#host.shares) return
    const pause = this.#limit.yieldsIn(now)
    if (pause !== undefined) this.#yieldTimer = this.#clock.set(this.#yieldIdle, pause)
  }

  readonly #yieldIdle = (): void => {
    this.#yieldTimer = undefined
    const now = this.#clock.now()
    while (this.#mayYield && this.#limit.mustYield(now, true)) {
      if (this.connections.idle > 0) this.connections.closeOneIdle()
      else this.connections.closeOneFinishing()
    }
    if (this.#mayYield) this.#watchWaiting(now)
  }

  /**
   * Whether a connection without a request can be closed. A half-closed one is, as long as the application is not known to
   * close its side of those: it may occupy a worker for good.
   */
  get #mayYield(): boolean {
    const { idle, finishing } = this.connections
    return idle > 0 || (finishing > 0 && !this.afterWork.measurable)
  }

  // ---- queued requests while nothing completes

  #watchStall(now: number): void {
    if (this.#stallTimer !== undefined || !this.#mayHelp(now)) return
    const left = Math.max(LATE, this.#movedAt + STALL_TIME - now)
    this.#stallAt = now + left
    this.#stallTimer = this.#clock.set(this.#onStallTimer, left)
  }

  /** Whether something can be done for queued requests in a stall. */
  #mayHelp(now: number): boolean {
    return !this.#host.full && (this.#held(now) < this.#most || this.connections.finishing > 0)
  }

  /** Maximum number of connections in a stall. */
  get #most(): number {
    return Math.min(this.#limit.most, this.#host.maxConnections)
  }

  readonly #onStallTimer = (): void => {
    this.#stallTimer = undefined
    const now = this.#clock.now()
    if (this.queue.size === 0) return
    // After a delay of this process, responses may be waiting to be read, which happens after the timers.
    if (now > this.#stallAt + LATE) this.#movedAt = Math.max(this.#movedAt, now - STALL_TIME + LATE)
    const full = now < this.#backlogFullUntil
    if (now - this.#movedAt >= STALL_TIME && !full) this.#help(now)
    if (this.queue.size > 0) this.#watchStall(now)
  }

  #help(now: number): void {
    for (let n = 0; n < this.#stallStep && this.#mayHelp(now); n++) {
      // Where there is no room, the longest measurement of after-work is given up, which serves the queue.
      if (this.#held(now) >= this.#most) this.connections.closeOneFinishing()
      else {
        const request = this.queue.shift()
        if (request === undefined) break
        this.#open(request, now)
      }
    }
    this.#movedAt = now
    this.#stallStep *= 4
  }
}
