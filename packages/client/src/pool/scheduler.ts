// Decides which request goes to which connection, and when: the part of a pool that does no I/O.
import type { LearnedLimit } from '../dispatcher.ts'
import { AfterWork } from './after-work.ts'
import { Backlog } from './backlog.ts'
import type { Clock, Timer } from './clock.ts'
import { Connections } from './connections.ts'
import { Pace } from './pace.ts'
import { RequestQueue } from './request-queue.ts'
import type {
  ScheduledConnection,
  ScheduledRequest,
  SchedulerHost,
  SchedulerOptions,
} from './scheduled.ts'

/** How many requests a connection serves at least before its worker is given to whoever is next. */
const LEAST_REQUESTS = 4

/** Milliseconds by which a timer is late when this process was held up; also the shortest time of the stall timer. */
const LATE = 5

/** Milliseconds for which the listen backlog is taken to be full after a connection did not get in. */
const BACKLOG_FULL_TIME = 1000

/**
 * Serves requests with the connections of a pool.
 *
 * Without reuse, each request would have a connection of its own, and the listen backlog of the application would keep
 * them in order of arrival, together with those of all other clients. Reuse saves making these connections, and must cost
 * nobody more than a few milliseconds:
 * - A request waits in the queue only while {@link Backlog} says that the application would not take it, and while others
 *   complete. When none has completed for twice the patience, the whole queue goes to the application.
 * - A kept connection gives way to a waiting one of this pool that has come earlier. After its turn
 *   ({@link Backlog.turn}) it gives way to anybody: other clients of the application cannot be seen.
 * - A connection is kept only after scripts that do not work on after their response ({@link AfterWork}), and only where
 *   requests follow each other so closely that it pays.
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
  readonly #backlog: Backlog<Connection>
  /** Whether workers are given up for clients that this pool cannot see. */
  readonly #lends: boolean
  /** Whether connections are kept whatever the script does after its response. */
  readonly #trusts: boolean
  #yieldTimer: Timer | undefined
  #stallTimer: Timer | undefined
  #backlogFullUntil = 0
  /** When the stall timer fires. */
  #stallAt = 0
  /** How often in a row it was late. */
  #delays = 0
  /** When a request last completed, or the queue got its first request, or a stall was dealt with. */
  #movedAt = 0
  #serving = false
  readonly #pace: Pace = new Pace()

  constructor(options: SchedulerOptions, host: SchedulerHost<Connection, Request>, clock: Clock) {
    this.#host = host
    this.#clock = clock
    this.connections = new Connections<Connection>(options, clock)
    this.queue = new RequestQueue(options.queueTimeout, (request) => host.onQueueTimeout(request))
    this.#backlog = new Backlog<Connection>(options, () => host.onLimitCut())
    this.#trusts = options.reuse === 'always'
    this.#lends = options.maxAge !== 0 && !this.#trusts
  }

  /** How many connections may be open, as far as is known. */
  get limit(): number {
    return Math.min(this.#backlog.limit, this.#host.maxConnections)
  }

  /** Why {@link limit} is what it is. */
  get learned(): LearnedLimit {
    return this.#backlog.learned(this.#clock.now())
  }

  /** Sends a request if a connection is available or may be opened. Returns false if it has to be queued. */
  start(request: Request, now: number): boolean {
    this.#pace.started(now)
    // Nothing overtakes the queue.
    if (this.queue.size > 0) this.serveQueue()
    return this.queue.size === 0 && this.#send(request, now)
  }

  /** Sends a request if a connection is available or may be opened. */
  #send(request: Request, now: number): boolean {
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
    this.#watchStall(now)
  }

  /** Sends queued requests as long as connections are available. */
  serveQueue(): void {
    // Closing an expired connection in this loop calls onClosed(), which would start the loop again.
    if (this.#serving) return
    this.#serving = true
    try {
      for (let next = this.queue.first; next !== undefined; next = this.queue.first) {
        if (!this.#send(next, this.#clock.now())) break
        this.queue.remove(next)
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
    const hadWaited = this.#backlog.answered(connection, elapsed, now)
    connection.answeredIn = elapsed
    if (hadWaited && this.queue.size > 0) this.serveQueue()
  }

  /** A response is complete, no other request is active, and the connection can be used again. */
  onIdle(connection: Connection, now: number): void {
    this.#movedAt = now
    if (this.#host.closing) connection.destroy()
    else if (this.#mustEnd(connection, now)) this.#finish(connection, now)
    else {
      const next = this.queue.shift()
      if (next !== undefined) this.#host.run(connection, next, now)
      else {
        this.connections.addIdle(connection, now)
        this.#watchWaiting(now)
      }
    }
  }

  /** The listen backlog was full, so further connections would only fail. */
  onBacklogFull(now: number): void {
    this.#backlogFullUntil = now + BACKLOG_FULL_TIME
  }

  /** A connection was closed. */
  onClosed(connection: Connection): void {
    const now = this.#clock.now()
    if (this.connections.remove(connection)) this.#recordAfterWork(connection, now)
    this.#backlog.closed(connection, now)
    this.serveQueue()
  }

  /** Returns an open connection for the request, if there is one. */
  #connectionFor(request: Request, needsNew: boolean, now: number): Connection | undefined {
    const host = this.#host
    if (host.full) return undefined
    if (host.shares) {
      const shared = this.connections.findShareable(request.minCreatedAt, now)
      if (shared !== undefined) return shared
    }
    if (needsNew || this.connections.idle === 0) return undefined
    if (this.#mustYield(now, request.startedAt)) {
      this.connections.closeOneIdle()
      return undefined
    }
    return this.connections.takeIdle(now)
  }

  #mayOpen(now: number): boolean {
    const { full, shares, maxConnections } = this.#host
    if (full || this.#held >= Math.min(this.#backlog.most, maxConnections)) return false
    return shares || this.afterWork.isLong(now) || this.#backlog.hasRoom(this.queue.size, now)
  }

  // A maximum of the user's counts sockets. A half-closed connection is none that the application has not answered.
  get #held(): number {
    const { size, finishing } = this.connections
    return this.#backlog.adaptive ? size - finishing : size
  }

  #open(request: Request, now: number): void {
    const connection = this.#host.create(now)
    this.connections.add(connection)
    this.#backlog.opened(connection, request.startedAt, now)
    this.#host.open(connection, request)
    if (this.#mayYield) this.#watchWaiting(now)
  }

  /** Whether a connection that has completed a request must be closed rather than kept. */
  #mustEnd(connection: Connection, now: number): boolean {
    if (this.connections.isExpired(connection, now)) return true
    const next = this.queue.first
    if (next !== undefined && this.#needsNewConnection(next, now)) return true
    if (this.#host.shares) return false
    if (this.#hasHadItsTurn(connection, now)) return true
    if (next === undefined && connection.script !== '' && this.#isSparse(now)) return true
    if (this.#mayWorkOn(connection, now)) return true
    return this.#mustYield(now, next?.startedAt)
  }

  #mayWorkOn(connection: Connection, now: number): boolean {
    if (this.#trusts) return false
    // Where some script has long after-work, nothing overtakes anything. The worker of one that has is not free yet.
    return this.afterWork.isLong(now) || this.afterWork.mustClose(connection, now)
  }

  /** Whether it is time to give the worker of a connection to clients that this pool cannot see. */
  #hasHadItsTurn({ requests, takenAt, createdAt }: Connection, now: number): boolean {
    if (!this.#lends) return false
    // Not all connections at the same time.
    const milliseconds = this.#backlog.turn(this.queue.size) * (0.5 + (createdAt % 1))
    return now - takenAt >= milliseconds && requests >= LEAST_REQUESTS
  }

  /** Whether requests are so rare that keeping a connection does not pay. */
  #isSparse(now: number): boolean {
    return this.#lends && this.#pace.isSlow(now)
  }

  /**
   * Whether no kept connection is used for a request. One for a script with after-work would be closed after it anyway,
   * and the script must not overtake the connections of others that wait for a worker.
   */
  #needsNewConnection(request: Request, now: number): boolean {
    if (request.needsNewConnection) return true
    return !this.#host.shares && this.afterWork.isExpected(request, now)
  }

  #mustYield(now: number, arrivedAt?: number): boolean {
    // An application that multiplexes does not need a worker for each connection, so none has to yield.
    return this.#backlog.size > 0 && !this.#host.shares && this.#backlog.mustYield(now, arrivedAt)
  }

  #finish(connection: Connection, now: number): void {
    // Where requests share a connection, the next one does not wait for the end of the last.
    const measured = !this.#trusts && this.afterWork.isMeasured(connection, now)
    if (this.#host.shares || !measured) connection.destroy()
    else {
      this.afterWork.begin(connection, now)
      this.connections.finish(connection, this.afterWork.timeout, now)
    }
    this.serveQueue()
  }

  #recordAfterWork(connection: Connection, now: number): void {
    const { afterWork } = connection
    if (Number.isNaN(afterWork)) this.afterWork.closedUnseen(connection, now)
    else if (afterWork !== undefined)
      this.afterWork.measured(connection, afterWork, connection.answeredIn, now)
    else if (!this.#host.closing) this.afterWork.gaveUp(connection, now - connection.idleSince, now)
  }

  // ---- idle connections beside waiting ones

  /** Schedules a check whether an idle connection must be closed for a waiting one: it occupies a worker, too. */
  #watchWaiting(now: number): void {
    if (this.#yieldTimer !== undefined || this.#host.shares) return
    const pause = this.#backlog.yieldsIn(now)
    if (pause !== undefined) this.#yieldTimer = this.#clock.set(this.#yieldIdle, pause)
  }

  readonly #yieldIdle = (): void => {
    this.#yieldTimer = undefined
    const now = this.#clock.now()
    while (this.#mayYield && this.#backlog.mustYield(now)) {
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
    if (this.#stallTimer !== undefined || !this.#mayHelp) return
    const due = Math.max(this.#movedAt + 2 * this.#backlog.patience, this.#backlogFullUntil)
    this.#stallAt = Math.max(due, now + LATE)
    this.#stallTimer = this.#clock.set(this.#onStallTimer, this.#stallAt - now)
  }

  /** Whether something can be done for queued requests in a stall. */
  get #mayHelp(): boolean {
    return !this.#host.full && (this.#held < this.#most || this.#mayGiveUpMeasuring)
  }

  get #mayGiveUpMeasuring(): boolean {
    return !this.#backlog.adaptive && this.connections.finishing > 0
  }

  get #most(): number {
    return Math.min(this.#backlog.most, this.#host.maxConnections)
  }

  readonly #onStallTimer = (): void => {
    this.#stallTimer = undefined
    const now = this.#clock.now()
    if (this.queue.size === 0) return
    // After a delay of this process, responses may be waiting to be read, which happens after the timers.
    this.#delays = now - this.#stallAt > LATE ? this.#delays + 1 : 0
    const stalled = now - this.#movedAt >= 2 * this.#backlog.patience && this.#delays !== 1
    if (stalled && now >= this.#backlogFullUntil) this.#help(now)
    if (this.queue.size > 0) this.#watchStall(now)
  }

  /** Sends the queue to the application. Where there is no room, the longest measurement of after-work is given up. */
  #help(now: number): void {
    this.#movedAt = now
    if (this.#held >= this.#most && this.#mayGiveUpMeasuring) this.connections.closeOneFinishing()
    while (this.#held < this.#most && !this.#host.full) {
      const request = this.queue.shift()
      if (request === undefined) break
      this.#open(request, now)
    }
  }
}
