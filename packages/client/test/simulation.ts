/**
 * A php-fpm and the pools that use it, in virtual time: workers that serve one connection each until it is closed, a
 * backlog from which they take connections in order, and pools that run the real Scheduler.
 */
import { Scheduler } from './internals.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** What a script does: milliseconds until its response, and milliseconds that it works on after it. */
export interface Work {
  readonly script?: string
  readonly service: number
  readonly after?: number
}

/** A request of a client. */
export class SimulatedRequest {
  expiresAt: number | undefined
  previous: this | undefined
  next: this | undefined
  readonly needsNewConnection: boolean
  readonly minCreatedAt = 0
  /** When it was given to a pool; set by the pool. */
  startedAt = 0
  readonly idempotent = true
  readonly work: Work
  readonly done: () => void

  get script(): string {
    return this.work.script ?? ''
  }

  constructor(work: Work, done: () => void, needsNewConnection = false) {
    this.work = work
    this.done = done
    this.needsNewConnection = needsNewConnection
  }
}

/** From a connection being made, a request being sent or a connection being closed, to a worker looking at it. */
const LATENCY = 0.05

/** How long a worker of an application that takes a connection needs to look for the next. */
const CLOSE_TIME = 0.2

/** A connection. */
class SimulatedConnection {
  readonly createdAt: number
  requests = 0
  active = 0
  closed = false
  readonly hasRoom = false
  capacity = 1
  idleSince = 0
  takenAt = 0
  answeredIn = 0
  script = ''
  readonly idempotent = true
  previousScript: string | undefined
  readonly previousIdempotent = true
  afterWork: number | undefined
  /** Whether a worker has accepted it. */
  taken = false
  /** Until when its worker is busy with after-work. */
  busyUntil = 0
  finished = false
  request: SimulatedRequest | undefined
  sentAt = 0
  readonly #pool: SimulatedPool

  constructor(pool: SimulatedPool, now: number) {
    this.#pool = pool
    this.createdAt = now
  }

  get pool(): SimulatedPool {
    return this.#pool
  }

  destroy(): void {
    if (this.closed) return
    this.closed = true
    this.#pool.application.leave(this)
    this.#pool.scheduler.onClosed(this)
  }

  finish(timeout: number): void {
    this.finished = true
    const { clock, application } = this.#pool
    const rest = application.closesOnFin
      ? Math.max(0, this.busyUntil - clock.now()) + CLOSE_TIME
      : Number.POSITIVE_INFINITY
    clock.set(
      () => {
        if (rest <= timeout && !this.closed) this.afterWork = clock.now() - this.idleSince
        this.destroy()
      },
      Math.min(rest, timeout),
    )
  }
}

/** Workers that each hold one connection until it closes. */
export class Application {
  workers: number
  /** Whether a worker closes its side of a connection that the pool has half-closed. */
  closesOnFin = true
  /** Milliseconds of work done from `begin` to `end`, after-work included. */
  worked = 0
  begin = 0
  end = Number.POSITIVE_INFINITY
  readonly #clock: VirtualClock
  readonly #backlog: SimulatedConnection[] = []
  #busy = 0

  constructor(clock: VirtualClock, workers: number) {
    this.#clock = clock
    this.workers = workers
  }

  connect(connection: SimulatedConnection): void {
    this.#backlog.push(connection)
    this.#clock.set(this.accept, LATENCY)
  }

  /** Free workers take connections. A worker reads a connection even if it has been closed in the meantime. */
  readonly accept = (): void => {
    while (this.#busy < this.workers) {
      const connection = this.#backlog.shift()
      if (connection === undefined) return
      if (connection.closed) continue
      this.#busy++
      connection.taken = true
      this.serve(connection)
    }
  }

  /** Runs the request of a connection, as soon as its worker has done what it still has to do. */
  serve(connection: SimulatedConnection): void {
    const { request } = connection
    if (request === undefined || !connection.taken) return
    const { service, after = 0 } = request.work
    const begin = Math.max(this.#clock.now(), connection.busyUntil)
    const end = begin + LATENCY + service
    connection.busyUntil = end + after
    this.work(begin + LATENCY, connection.busyUntil)
    this.#clock.set(() => connection.pool.answered(connection), end - this.#clock.now())
  }

  /** Counts the work of one request. */
  work(begin: number, end: number): void {
    this.worked += Math.max(0, Math.min(this.end, end) - Math.max(this.begin, begin))
  }

  /** The pool has closed a connection. Its worker is free when it has looked. */
  leave(connection: SimulatedConnection): void {
    if (!connection.taken) return
    const rest = Math.max(0, connection.busyUntil - this.#clock.now())
    this.#clock.set(
      () => {
        this.#busy--
        this.accept()
      },
      rest + (connection.finished ? 0 : CLOSE_TIME),
    )
  }
}

/** Options of a {@link SimulatedPool}. */
export interface SimulatedOptions {
  most?: number | 'auto'
  fairness?: number
  maxAge?: number
  idleTimeout?: number
}

/** What the clients of the simulation send their requests to. */
export interface Target {
  dispatch(request: SimulatedRequest): void
}

/** The real scheduler, with simulated connections. */
export class SimulatedPool implements Target {
  readonly clock: VirtualClock
  readonly application: Application
  readonly scheduler: InstanceType<typeof Scheduler<SimulatedConnection, SimulatedRequest>>
  /** Connections made. */
  opened = 0

  constructor(clock: VirtualClock, application: Application, options: SimulatedOptions = {}) {
    const { most = 'auto', fairness = 5, maxAge = 500, idleTimeout = 30 } = options
    this.clock = clock
    this.application = application
    const others = { queueTimeout: 0, maxRequests: 0, softMaxConnections: 0, least: 1, reuse: true }
    this.scheduler = new Scheduler(
      { most, fairness, maxAge, idleTimeout, ...others },
      {
        shares: false,
        maxConnections: Number.POSITIVE_INFINITY,
        full: false,
        closing: false,
        create: (now) => new SimulatedConnection(this, now),
        open: (connection, request) => {
          this.opened++
          this.#send(connection, request)
          application.connect(connection)
        },
        run: (connection, request) => {
          this.#send(connection, request)
          application.serve(connection)
        },
        onLimitCut() {},
        onQueueTimeout() {},
      },
      clock,
    )
  }

  get limit(): number {
    return this.scheduler.limit
  }

  get connections(): number {
    return this.scheduler.connections.size
  }

  dispatch(request: SimulatedRequest): void {
    const now = this.clock.now()
    request.startedAt = now
    if (!this.scheduler.start(request, now)) this.scheduler.enqueue(request, now)
  }

  /** A response has arrived completely. */
  answered(connection: SimulatedConnection): void {
    const now = this.clock.now()
    const { request } = connection
    connection.request = undefined
    connection.active = 0
    this.scheduler.onAnswer(connection, now - connection.sentAt, now)
    this.scheduler.onIdle(connection, now)
    request?.done()
  }

  #send(connection: SimulatedConnection, request: SimulatedRequest): void {
    if (connection.requests++ > 0) connection.previousScript = connection.script
    connection.script = request.work.script ?? ''
    connection.request = request
    connection.active = 1
    connection.sentAt = this.clock.now()
  }
}

/**
 * A gateway without reuse, and a work-conserving ideal: requests are served in order of arrival. A new connection costs
 * time only for requests that no gateway can send on a kept one.
 */
export class WithoutReuse implements Target {
  readonly #clock: VirtualClock
  readonly #application: Application
  readonly #waiting: SimulatedRequest[] = []
  #busy = 0

  constructor(clock: VirtualClock, application: Application) {
    this.#clock = clock
    this.#application = application
  }

  dispatch(request: SimulatedRequest): void {
    this.#waiting.push(request)
    this.#clock.set(this.accept, LATENCY)
  }

  readonly accept = (): void => {
    while (this.#busy < this.#application.workers) {
      const request = this.#waiting.shift()
      if (request === undefined) return
      this.#busy++
      const { service, after = 0 } = request.work
      const begin = this.#clock.now() + LATENCY
      this.#application.work(begin, begin + service + after)
      this.#clock.set(() => request.done(), LATENCY + service)
      const reconnects = after > 0 || request.needsNewConnection
      this.#clock.set(
        () => {
          this.#busy--
          this.accept()
        },
        LATENCY + service + after + (reconnects ? CLOSE_TIME : 0),
      )
    }
  }
}

/** Clients that each send their next request when they have their answer. */
export class Clients {
  /** Answers per client since {@link reset}. */
  readonly counts: number[]
  /** How long requests took, since {@link reset}. */
  times: number[] = []
  readonly #clock: VirtualClock
  readonly #since: number[]

  constructor(
    clock: VirtualClock,
    pool: Target,
    count: number,
    service: (client: number) => number,
  ) {
    this.#clock = clock
    this.counts = new Array(count).fill(0)
    this.#since = new Array(count).fill(0)
    for (let client = 0; client < count; client++) {
      const next = () => {
        const since = clock.now()
        this.#since[client] = since
        const done = () => {
          this.counts[client] = (this.counts[client] ?? 0) + 1
          this.times.push(clock.now() - since)
          clock.set(next, 0)
        }
        pool.dispatch(new SimulatedRequest({ service: service(client) }, done))
      }
      clock.set(next, client * 0.01)
    }
  }

  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0)
  }

  /** The longest time anybody waited or still waits. */
  get longest(): number {
    const waiting = this.#since.map((since) => this.#clock.now() - since)
    return this.times.reduce((most, time) => Math.max(most, time), Math.max(...waiting))
  }

  /** Counts from here. */
  reset(): void {
    this.counts.fill(0)
    this.times = []
  }
}
