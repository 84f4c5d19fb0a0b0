/**
 * A php-fpm and the pools that use it, in virtual time: workers that serve one connection each until it is closed,
 * a backlog they take connections from in order, and pools that drive a ConcurrencyLimit the way Pool does.
 */
import { ConcurrencyLimit } from './internals.ts'

/** Virtual time in milliseconds, and what happens in it. */
export class Clock {
  now = 0
  readonly #events: Array<{ time: number; order: number; run: () => void }> = []
  #order = 0

  after(pause: number, run: () => void): void {
    const event = { time: this.now + pause, order: this.#order++, run }
    let at = this.#events.length
    while (at > 0 && later(this.#events[at - 1], event)) at--
    this.#events.splice(at, 0, event)
  }

  runUntil(end: number): void {
    for (let event = this.#events[0]; event !== undefined && event.time <= end; ) {
      this.#events.shift()
      this.now = event.time
      event.run()
      event = this.#events[0]
    }
    this.now = end
  }
}

function later(one: { time: number; order: number } | undefined, other: { time: number }): boolean {
  return one !== undefined && one.time > other.time
}

/** A connection. */
interface Seat {
  readonly pool: SimulatedPool
  readonly openedAt: number
  request: Request | undefined
  sentAt: number
  taken: boolean
  closed: boolean
}

/** A request of a client. */
interface Request {
  readonly since: number
  readonly service: number
  done(): void
}

/** From a connection being made, or a request being sent, to a worker looking at it. */
const LATENCY = 0.05

/** Workers that each hold one connection until it closes. */
export class Application {
  workers: number
  readonly #clock: Clock
  readonly #backlog: Seat[] = []
  #busy = 0

  constructor(clock: Clock, workers: number) {
    this.#clock = clock
    this.workers = workers
  }

  connect(seat: Seat): void {
    this.#backlog.push(seat)
    this.#clock.after(LATENCY, () => this.accept())
  }

  /** Free workers take connections. */
  accept(): void {
    while (this.#busy < this.workers) {
      const seat = this.#backlog.shift()
      if (seat === undefined) return
      if (seat.closed) continue
      this.#busy++
      seat.taken = true
      this.serve(seat)
    }
  }

  serve(seat: Seat): void {
    const { request } = seat
    if (request === undefined || !seat.taken) return
    this.#clock.after(LATENCY + request.service, () => seat.pool.answered(seat))
  }

  close(seat: Seat): void {
    if (!seat.taken) return
    this.#busy--
    this.#clock.after(LATENCY, () => this.accept())
  }
}

/** Does what Pool does, without sockets. */
export class SimulatedPool {
  readonly limit: InstanceType<typeof ConcurrencyLimit<Seat>>
  readonly #clock: Clock
  readonly #application: Application
  readonly #maxAge: number
  readonly #all = new Set<Seat>()
  readonly #idle: Seat[] = []
  readonly #queue: Request[] = []
  #probing = false
  #yielding = false
  /** Connections made. */
  opened = 0

  constructor(
    clock: Clock,
    application: Application,
    { most = 'auto' as number | 'auto', fairness = 5, maxAge = 500 } = {},
  ) {
    this.limit = new ConcurrencyLimit({ most, least: 1, fairness })
    this.#clock = clock
    this.#application = application
    this.#maxAge = maxAge
  }

  get connections(): number {
    return this.#all.size
  }

  dispatch(request: Request): void {
    for (let seat = this.#idle.pop(); seat !== undefined; seat = this.#idle.pop()) {
      if (!this.#isOld(seat)) {
        this.#send(seat, request)
        return
      }
      this.#close(seat)
    }
    if (this.#all.size < this.limit.value) this.#open(request)
    else {
      this.#queue.push(request)
      this.#scheduleProbe()
    }
  }

  answered(seat: Seat): void {
    const { now } = this.#clock
    const { request } = seat
    this.limit.answered(seat, now - seat.sentAt)
    seat.request = undefined
    if (this.#isOld(seat) || this.limit.mustYield(now)) this.#close(seat)
    else {
      const next = this.#queue.shift()
      if (next !== undefined) this.#send(seat, next)
      else {
        this.#idle.push(seat)
        this.#scheduleYield()
      }
    }
    request?.done()
  }

  #scheduleYield(): void {
    const pause = this.#yielding ? undefined : this.limit.starvesIn(this.#clock.now)
    if (pause === undefined) return
    this.#yielding = true
    this.#clock.after(pause, () => {
      this.#yielding = false
      while (this.#idle.length > 0 && this.limit.mustYield(this.#clock.now)) {
        const seat = this.#idle.shift()
        if (seat !== undefined) this.#close(seat)
      }
      if (this.#idle.length > 0) this.#scheduleYield()
    })
  }

  #isOld(seat: Seat): boolean {
    return this.#maxAge !== 0 && this.#clock.now - seat.openedAt >= this.#maxAge
  }

  #open(request: Request): Seat {
    const { now } = this.#clock
    const seat: Seat = {
      pool: this,
      openedAt: now,
      request,
      sentAt: now,
      taken: false,
      closed: false,
    }
    this.opened++
    this.#all.add(seat)
    this.limit.opened(seat, now)
    this.#application.connect(seat)
    return seat
  }

  #send(seat: Seat, request: Request): void {
    seat.request = request
    seat.sentAt = this.#clock.now
    this.#application.serve(seat)
  }

  #close(seat: Seat): void {
    seat.closed = true
    this.#all.delete(seat)
    this.limit.closed(seat)
    this.#application.close(seat)
    while (this.#queue.length > 0 && this.#all.size < this.limit.value) {
      const request = this.#queue.shift()
      if (request !== undefined) this.#open(request)
    }
    if (this.#queue.length > 0) this.#scheduleProbe()
  }

  #scheduleProbe(): void {
    const pause = this.#probing ? undefined : this.limit.nextProbeIn(this.#clock.now)
    if (pause === undefined) return
    this.#probing = true
    this.#clock.after(pause, () => {
      this.#probing = false
      const { now } = this.#clock
      const request = this.limit.mayProbe(now) ? this.#queue.shift() : undefined
      if (request !== undefined) this.limit.probing(this.#open(request), now)
      if (this.#queue.length > 0) this.#scheduleProbe()
    })
  }
}

/** Clients that each send their next request when they have their answer. */
export class Clients {
  /** Answers per client since {@link reset}. */
  readonly counts: number[]
  /** How long requests took, since {@link reset}. */
  times: number[] = []
  readonly #clock: Clock
  readonly #since: number[]

  constructor(
    clock: Clock,
    pool: SimulatedPool,
    count: number,
    service: (client: number) => number,
  ) {
    this.#clock = clock
    this.counts = new Array(count).fill(0)
    this.#since = new Array(count).fill(0)
    for (let client = 0; client < count; client++) {
      const next = () => {
        const since = clock.now
        this.#since[client] = since
        pool.dispatch({
          since,
          service: service(client),
          done: () => {
            this.counts[client] = (this.counts[client] ?? 0) + 1
            this.times.push(clock.now - since)
            clock.after(0, next)
          },
        })
      }
      clock.after(client * 0.01, next)
    }
  }

  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0)
  }

  /** The longest time anybody waited or still waits. */
  get longest(): number {
    const waiting = this.#since.map((since) => this.#clock.now - since)
    return Math.max(...this.times, ...waiting)
  }

  /** Counts from here. */
  reset(): void {
    this.counts.fill(0)
    this.times = []
  }
}
