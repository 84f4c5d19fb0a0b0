// The connections of a pool that wait for a worker of the application, as far as the pool can tell.

import type { LearnedLimit } from '../dispatcher.ts'

/** Maximum number of connections with `maxConnections: 'auto'`. */
export const AUTO_MAXIMUM = 64

/** Milliseconds between two connections that find out whether there are more workers, when there were none last time. */
const REST = 25

/** Milliseconds of {@link Backlog.turn} as a multiple of the queued requests per served connection, and their bounds. */
const TURN = 10
const MIN_TURN = 5
const MAX_TURN = 20

/** Usual time to answer, in milliseconds, above which a new connection costs too little for a queue to pay. */
const SLOW = 5

/** By how much the patience may be above `fairness`, as a multiple of it, however slow the scripts are. */
const MOST_PATIENCE = 4

/** Milliseconds that are added to the patience until another worker is freed for the same connection; doubled each time. */
const AGAIN = 25

/** Milliseconds after a reported cut of the limit during which others are not reported. */
const CUT_PAUSE = 60_000

/** By how much the usual time to answer moves with each answer, as a factor. */
const STEP = 1.1

/** Shortest usual time to answer, in milliseconds. */
const LEAST_USUAL = 0.05

/** Options of a {@link Backlog}. */
export interface BacklogOptions {
  /** Maximum number of connections, or 'auto' to learn how many are served at the same time. */
  most: number | 'auto'
  /** Number of connections that may be open in any case. */
  least: number
  /** Milliseconds; see PoolOptions.fairness. */
  fairness: number
}

/** What a {@link Backlog} needs to know of a connection. */
export interface PendingConnection {
  /** Number of requests started. */
  readonly requests: number
  /** When it proved to have a worker; set by the Backlog. */
  takenAt: number
}

/** A connection that has not answered yet, and behind which none has. */
interface Waiting {
  /** When its request arrived at the pool. */
  readonly arrivedAt: number
  readonly openedAt: number
  /** When a worker was freed for it; 0 before that. */
  freedAt: number
  /** Whether it had waited longer than the patience when that worker was freed. */
  late: boolean
  /** From when on a further worker may be freed for it; 0 if none has been. */
  againAt: number
  pause: number
}

/**
 * Decides how many connections may wait for a worker, and when a kept connection must be closed to free one.
 *
 * php-fpm and most other applications serve one connection per worker. A kept connection occupies its worker, and
 * connections beyond the number of workers wait in the listen backlog. The client cannot see that: connecting succeeds.
 * It infers the state from the responses. The kernel delivers connections to accept() in order: when one answers, it and
 * all that were opened before it have been *taken* by a worker, however slow they are. All others are *waiting*: in the
 * backlog, or taken by a worker that runs a slow script.
 *
 * Three rules make requests on new connections and requests in the queue fare alike:
 * - *Order.* A kept connection serves no request that arrived later than that of a waiting connection, by more than the
 *   patience (`fairness` plus three times the usual time to answer). It is closed instead, and its worker takes the
 *   waiting one. This happens once for each waiting connection, and again after a growing pause, because a client that
 *   the pool cannot see may have taken that worker.
 * - *Spare.* A request is queued only while enough connections wait already. At first 64 may; when one proves to have
 *   been taken only because a worker was freed for it, one may, and that after a rest; of a long queue some more may.
 *   When one is taken although none was freed, twice as many as before may. A connection that is still silent after a worker was freed for it runs a
 *   slow script, or competes with other clients: it does not count, so another request takes its place.
 * - *Turns.* A connection is used for {@link turn} milliseconds; then its worker goes to whoever is next in the backlog,
 *   because clients of other processes wait there too, and cannot be seen.
 *
 * No count of workers is kept that could be wrong for long: the waiting connection itself finds out whether there are
 * more. The class does no I/O and reads no clock: the pool reports events with their time in milliseconds.
 */
export class Backlog<Connection extends PendingConnection> {
  /** Maximum number of connections. */
  readonly most: number
  /** Whether `most` is not the user's own number. */
  readonly adaptive: boolean
  readonly #least: number
  readonly #fairness: number
  readonly #onCut: () => void
  /** In the order of connecting, which is that of the listen backlog. */
  readonly #waiting = new Map<Connection, Waiting>()
  #taken = 0
  /** Number of workers that were freed and that no connection of this pool has been opened for. */
  #free = 0
  #spare = AUTO_MAXIMUM
  #restsUntil = 0
  #usual = 0
  #probedAt: number | undefined
  #raisedAt: number | undefined
  #cutAt: number | undefined
  #reportedAt = Number.NEGATIVE_INFINITY

  /** @param onCut called when the limit has been cut, and that has not been reported for a minute. */
  constructor(options: BacklogOptions, onCut: () => void = () => {}) {
    this.#onCut = onCut
    this.adaptive = options.most === 'auto'
    this.most = options.most === 'auto' ? AUTO_MAXIMUM : options.most
    this.#least = Math.min(options.least, this.most)
    this.#fairness = options.fairness
  }

  /** Number of waiting connections. */
  get size(): number {
    return this.#waiting.size
  }

  /** How many connections may be open, as far as is known. */
  get limit(): number {
    if (!this.adaptive || this.#spare === AUTO_MAXIMUM) return this.most
    return Math.min(this.most, Math.max(this.#least, this.#taken + this.#spare))
  }

  /** What {@link limit} is made of, for people. */
  learned(now: number): LearnedLimit {
    const ago = (at: number | undefined): number | undefined =>
      at === undefined ? undefined : Math.max(0, now - at)
    return {
      adaptive: this.adaptive,
      most: this.most,
      served: this.#taken,
      waiting: this.#waiting.size,
      spare: this.#spare,
      probed: ago(this.#probedAt),
      raised: ago(this.#raisedAt),
      cut: ago(this.#cutAt),
    }
  }

  /** Milliseconds within which most requests are answered, and a request may wait behind a later one. */
  get patience(): number {
    return this.#fairness + Math.min(3 * this.#usual, MOST_PATIENCE * this.#fairness)
  }

  /** Whether a further connection may wait while so many requests are queued. Does not look at {@link most}. */
  hasRoom(queued: number, now: number): boolean {
    if (!this.adaptive || this.#usual > SLOW || this.#free > 0) return true
    if (this.#taken + this.#waiting.size < this.#least) return true
    const rests = this.#taken > 0 && now < this.#restsUntil
    const allowed = Math.max(rests ? 0 : this.#spare, Math.floor(Math.sqrt(queued) / 3))
    let unserved = 0
    for (const { freedAt } of this.#waiting.values()) if (freedAt === 0) unserved++
    return unserved < allowed
  }

  /**
   * Milliseconds that a connection is used before its worker is given to whoever is next. Of several pools that share an
   * application, the one with more queued requests for each of its workers keeps them longer.
   */
  turn(queued: number): number {
    if (queued + this.#waiting.size === 0) return MAX_TURN
    return Math.min(MAX_TURN, Math.max(MIN_TURN, (TURN * queued) / Math.max(1, this.#taken)))
  }

  /** Reports that a connection was opened for a request. Must be called in the order of connecting. */
  opened(connection: Connection, arrivedAt: number, now: number): void {
    const freedAt = this.#free > 0 ? now : 0
    if (freedAt !== 0) this.#free--
    else this.#probedAt = now
    const times = { arrivedAt, openedAt: now, freedAt, againAt: 0 }
    this.#waiting.set(connection, { ...times, late: false, pause: 0 })
  }

  /**
   * Reports the first bytes of a response, `elapsed` milliseconds after its request was sent.
   * @returns whether the connection was waiting, so that another one may have room now.
   */
  answered(connection: Connection, elapsed: number, now: number): boolean {
    const waiting = this.#waiting.get(connection)
    // The first answer on a connection includes its time in the backlog, so it must not raise the time.
    if (connection.requests > 1 || elapsed < this.#usual || this.#usual === 0) this.#learn(elapsed)
    if (waiting === undefined) return false
    for (const earlier of this.#waiting.keys()) {
      this.#waiting.delete(earlier)
      this.#taken++
      earlier.takenAt = now
      if (earlier === connection) break
    }
    if (waiting.freedAt === 0) this.#raise(now)
    else if (waiting.late && now - waiting.freedAt <= this.#surely) this.#cut(now)
    return true
  }

  #raise(now: number): void {
    if (this.#spare === AUTO_MAXIMUM) return
    this.#spare = Math.min(AUTO_MAXIMUM, this.#spare * 2)
    this.#raisedAt = now
  }

  #cut(now: number): void {
    const isNews = this.#spare > 1 && this.adaptive && now - this.#reportedAt > CUT_PAUSE
    this.#spare = 1
    this.#restsUntil = now + REST
    this.#cutAt = now
    if (!isNews) return
    this.#reportedAt = now
    this.#onCut()
  }

  /** Reports that a connection was closed. */
  closed(connection: Connection, now: number): void {
    if (this.#waiting.delete(connection)) return
    this.#taken--
    this.#workerFreed(now)
  }

  /** Milliseconds within which a free worker almost surely answers, unless its script is slow. */
  get #surely(): number {
    return this.#fairness / 5 + 3 * this.#usual
  }

  /** Milliseconds that a connection may wait while another has nothing to do. */
  get #idlePatience(): number {
    return Math.min(this.#surely, this.#fairness)
  }

  /**
   * Whether a connection that has completed a request must be closed, so that its worker takes a waiting one.
   * @param arrivedAt when the request arrived that would be sent on it; undefined if there is none.
   */
  mustYield(now: number, arrivedAt?: number): boolean {
    const patience = arrivedAt === undefined ? this.#idlePatience : this.patience
    for (const waiting of this.#waiting.values()) {
      if (waiting.againAt === 0) {
        if ((arrivedAt ?? now) - waiting.arrivedAt <= patience) return false
      } else if (now <= waiting.againAt) continue
      // A worker that was freed for it before must have taken a connection of somebody else.
      waiting.freedAt = 0
      this.#postpone(waiting, now)
      return true
    }
    return false
  }

  /** Milliseconds until {@link mustYield} may become true for an idle connection; undefined when none is waiting. */
  yieldsIn(now: number): number | undefined {
    let at: number | undefined
    for (const { arrivedAt, againAt } of this.#waiting.values()) {
      const due = againAt === 0 ? arrivedAt + this.#idlePatience : againAt
      if (at === undefined || due < at) at = due
      if (againAt === 0) break
    }
    return at === undefined ? undefined : Math.max(1, at - now + 1)
  }

  /** Moves the usual time towards the median, so that a few very slow scripts change little. */
  #learn(elapsed: number): void {
    const usual = this.#usual
    const moved = elapsed < usual ? usual / STEP : usual * STEP
    this.#usual = Math.max(LEAST_USUAL, usual === 0 ? elapsed : moved)
  }

  /** A worker is free and takes the first connection in the backlog, whatever its connection was closed for. */
  #workerFreed(now: number): void {
    for (const waiting of this.#waiting.values()) {
      if (waiting.freedAt !== 0) continue
      waiting.freedAt = now
      waiting.late = now - waiting.openedAt > this.#surely
      if (waiting.againAt === 0) this.#postpone(waiting, now)
      return
    }
    this.#free++
  }

  #postpone(waiting: Waiting, now: number): void {
    waiting.pause = waiting.pause === 0 ? this.patience + AGAIN : waiting.pause * 2
    waiting.againAt = now + waiting.pause
  }
}
