// The limit on the connections of a pool, learned from the application's behaviour.

/** Upper bound of the limit with `'auto'`. */
export const AUTO_MAXIMUM = 64

/** Bounds in milliseconds of the pause after which the limit is raised while requests are queued. */
const MIN_RAISE_PAUSE = 25
const MAX_RAISE_PAUSE = 100
/** Maximum number by which the limit is raised at once. */
const MAX_RAISE = 16

/** Usual time to answer, in milliseconds, above which a new connection costs little by comparison. */
const SLOW = 10
/** Time to answer, in milliseconds, that a waiting request must not lose to another. */
const VERY_SLOW = 1000
/** Milliseconds of after-work that a waiting request must not lose to another. */
const LONG_AFTER_WORK = 20
/** Milliseconds for which one such time, and a script with after-work, is remembered. */
const LONG_MEMORY = 60_000
const AFTER_WORK_MEMORY = 1000

/** Milliseconds that a connection must wait before other clients are thought to compete for the workers. */
const CONTENDED_WAIT = 20

/** For how many milliseconds other clients are assumed to compete for the workers after that was noticed. */
const CONTENTION_TIME = 1000

/** How many starved connections in a row must be found before the limit falls. */
const EVIDENCE = 2

/** Options of a {@link ConcurrencyLimit}. */
export interface ConcurrencyLimitOptions {
  /** A fixed limit, or 'auto' to learn it between `least` and {@link AUTO_MAXIMUM}. */
  most: number | 'auto'
  /** Lower bound of a learned limit. */
  least: number
  /** Milliseconds; see PoolOptions.fairness. */
  fairness: number
}

/** A connection that has not answered yet, and behind which none has. */
interface Waiting {
  readonly since: number
  /** When a worker was freed for it; 0 before that. */
  freedAt: number
  /** Whether it had waited longer than the patience when that worker was freed. */
  late: boolean
  /** From when on a further worker may be freed for it. */
  nextAt: number
  /** Milliseconds between `nextAt` and the time after it; doubled each time. */
  pause: number
}

/**
 * Estimates how many connections the application serves at the same time, limits the pool to that number, and decides
 * when a kept connection must be closed to free its worker.
 *
 * php-fpm and most other applications serve one connection per worker. A kept connection occupies its worker, and
 * connections beyond the number of workers wait in the kernel's listen backlog. The client cannot see that: connecting
 * succeeds. It infers the state from the responses:
 * - The kernel delivers connections to accept() in order. When one answers, it and all that were opened before it are
 *   *taken* by a worker, however slow they are.
 * - All others are *waiting*: in the backlog, or taken by a worker that runs a slow script.
 *
 * For a connection that has waited longer than the *patience* (`fairness` plus three times the usual time to answer), one
 * worker is freed: the next connection that completes a request is closed. If it was starved, the freed worker accepts
 * it, and it answers soon. If it is merely slow, nothing changes, and nothing is concluded. A further worker is freed for
 * the same connection only after a growing pause, because clients that this pool cannot see may have taken the first.
 *
 * The limit only decides whether a request waits in the queue of the pool or in the backlog, so a wrong value must not
 * last. It falls to the number of taken connections when connections were starved {@link EVIDENCE} times in a row; these
 * connections then are all that the application serves, because the ones behind the starved one have not answered. It
 * rises when more connections are taken, and also by itself while requests are queued.
 *
 * The class does no I/O and reads no clock: the pool reports events with their time in milliseconds.
 */
export class ConcurrencyLimit<Connection extends object> {
  #limit: number
  /** Whether the limit is learned. */
  readonly adaptive: boolean
  readonly #least: number
  readonly #fairness: number
  readonly #taken = new Set<Connection>()
  /** In the order of connecting, which is that of the backlog. */
  readonly #waiting = new Map<Connection, Waiting>()
  #answerTime: number | undefined
  #leastAnswerTime = 0
  /** How long a worker is usually busy with a request. */
  #busyTime = 0
  #longUntil = 0
  #afterWorkUntil = 0
  /** The number of workers when the limit last fell, or more if more have been seen since. */
  #known = AUTO_MAXIMUM
  #evidence = 0
  #contendedUntil = 0
  #lastWasLate = false
  #raise = 1
  #raisePause = MIN_RAISE_PAUSE
  #raiseAt = 0

  constructor(options: ConcurrencyLimitOptions) {
    this.adaptive = options.most === 'auto'
    this.#limit = options.most === 'auto' ? AUTO_MAXIMUM : options.most
    this.#least = Math.min(options.least, this.#limit)
    this.#fairness = options.fairness
  }

  /** The limit at a time. */
  value(now: number): number {
    return this.adaptive && this.isStrict(now) ? AUTO_MAXIMUM : this.#limit
  }

  /** The number of connections that may be open when queued requests stall; not above {@link value} for a fixed limit. */
  get most(): number {
    return this.adaptive ? AUTO_MAXIMUM : this.#limit
  }

  /**
   * Whether the order of arrival is kept strictly: no request is sent on a kept connection while another connection
   * waits, and none is queued behind the limit. That costs new connections, and is worth it where some requests are so
   * long that one which overtook another would cost it seconds, and where scripts work on after their response.
   */
  isStrict(now: number): boolean {
    return now < this.#afterWorkUntil || (this.#busyTime > SLOW && now < this.#longUntil)
  }

  /** Milliseconds that a connection may be silent before a worker is freed for it. */
  #patience(now: number): number {
    return this.isStrict(now) ? 0 : this.#usually
  }

  /** Milliseconds within which most requests are answered. */
  get #usually(): number {
    return this.#fairness + 3 * (this.#answerTime ?? 0)
  }

  /**
   * Whether other clients of the application seem to compete for its workers: connections were accepted late, with no
   * worker freed for them, or long after one was.
   */
  isContended(now: number): boolean {
    return now < this.#contendedUntil
  }

  /** Reports that a connection was opened for a request. Must be called in the order of connecting. */
  opened(connection: Connection, now: number): void {
    this.#waiting.set(connection, { since: now, freedAt: 0, late: false, nextAt: 0, pause: 0 })
  }

  /** Reports the first bytes of a response, `elapsed` milliseconds after its request was sent. */
  answered(connection: Connection, elapsed: number, now: number): void {
    const waiting = this.#waiting.get(connection)
    this.#learnAnswerTime(elapsed, waiting !== undefined)
    const busy = waiting === undefined ? elapsed : now - Math.max(waiting.since, waiting.freedAt)
    this.#worked(busy, now)
    if (waiting === undefined) return
    for (const earlier of this.#waiting.keys()) {
      this.#waiting.delete(earlier)
      this.#taken.add(earlier)
      if (earlier === connection) break
    }
    const sinceFreed = now - waiting.freedAt
    if (waiting.freedAt === 0) {
      this.#noteWait(now - waiting.since, now)
      this.#evidence = 0
    } else if (sinceFreed < 0.8 * this.#leastAnswerTime) {
      // It cannot have begun only then, so that worker has accepted another connection.
      this.#workerFreed(waiting.freedAt)
      this.#evidence = 0
    } else if (sinceFreed > this.#usually) this.#noteWait(sinceFreed, now)
    else if (waiting.late) this.#wasStarved(now)
    if (this.adaptive && this.#taken.size > this.#known) this.#foundMore()
  }

  #worked(milliseconds: number, now: number): void {
    this.#busyTime += (milliseconds - this.#busyTime) / 8
    if (milliseconds > VERY_SLOW) this.#longUntil = now + LONG_MEMORY
  }

  /** Reports that a script is run, or has run, that works on for so long after the end of its response. */
  workedOn(milliseconds: number, now: number): void {
    if (milliseconds > LONG_AFTER_WORK) this.#afterWorkUntil = now + AFTER_WORK_MEMORY
  }

  /** Reports that a connection was closed. */
  closed(connection: Connection, now: number): void {
    if (this.#taken.delete(connection)) this.#workerFreed(now)
    else this.#waiting.delete(connection)
  }

  /**
   * Whether a connection without a request must be closed, so that its worker accepts a waiting one.
   * @param idle whether nothing else is to be sent on it, so that only a short wait is required.
   */
  mustYield(now: number, idle = false): boolean {
    if (this.#waiting.size === 0) return false
    const patience = Math.min(idle ? this.#fairness : Infinity, this.#patience(now))
    for (const waiting of this.#waiting.values()) {
      const due = waiting.nextAt === 0 ? waiting.since + patience : waiting.nextAt
      if (now > due) {
        // A worker that was freed for it before must have accepted a connection of somebody else.
        waiting.freedAt = 0
        this.#postpone(waiting, now)
        return true
      }
      if (waiting.nextAt === 0) return false
    }
    return false
  }

  /** Milliseconds until {@link mustYield} may become true for an idle connection; undefined when none is waiting. */
  yieldsIn(now: number): number | undefined {
    let at: number | undefined
    for (const { since, nextAt } of this.#waiting.values()) {
      const due = nextAt === 0 ? since + this.#fairness : nextAt
      if (at === undefined || due < at) at = due
      if (nextAt === 0) break
    }
    return at === undefined ? undefined : Math.max(1, at - now + 1)
  }

  /** Raises the limit if it is time to; called while requests are queued. Returns whether it did. */
  raise(now: number): boolean {
    if (!this.adaptive || this.#limit >= AUTO_MAXIMUM || now < this.#raiseAt) return false
    this.#limit = Math.min(AUTO_MAXIMUM, this.#limit + this.#raise)
    this.#raiseAt = now + this.#raisePause
    return true
  }

  // The first answer on a connection includes its time in the backlog, so it must not raise the average.
  #learnAnswerTime(elapsed: number, first: boolean): void {
    const least = this.#leastAnswerTime
    const usual = this.#answerTime
    if (usual === undefined) this.#answerTime = this.#leastAnswerTime = elapsed
    else if (!first || elapsed < usual) {
      this.#answerTime = usual + (elapsed - usual) / 8
      this.#leastAnswerTime = elapsed < least ? elapsed : least + (elapsed - least) / 64
    }
  }

  // Once may be chance: a long script, for instance, or a processor that was busy with something else.
  #noteWait(wait: number, now: number): void {
    const late = wait > Math.max(this.#usually, CONTENDED_WAIT)
    if (late && this.#lastWasLate) this.#contendedUntil = now + CONTENTION_TIME
    this.#lastWasLate = late
  }

  /** More workers are taken than were known. */
  #foundMore(): void {
    this.#known = this.#taken.size
    this.#limit = Math.max(this.#limit, Math.min(AUTO_MAXIMUM, this.#known))
    this.#evidence = 0
    this.#raise = Math.min(this.#raise * 2, MAX_RAISE)
    this.#raisePause = MIN_RAISE_PAUSE
    this.#raiseAt = 0
  }

  /** A connection was accepted only when a worker was freed for it. */
  #wasStarved(now: number): void {
    if (!this.adaptive) return
    const certain = ++this.#evidence >= EVIDENCE
    // Once is enough to take back what the limit was raised by.
    if (!certain && this.#limit <= this.#known) return
    this.#evidence = 0
    // A worker that was freed just now has accepted a connection that has not answered yet.
    let workers = this.#taken.size
    for (const { freedAt } of this.#waiting.values())
      if (freedAt !== 0 && now - freedAt <= this.#usually) workers++
    const least = certain ? this.#least : this.#known
    this.#limit = Math.min(this.#limit, Math.max(workers, least))
    this.#known = this.#limit
    this.#raise = 1
    this.#raisePause = Math.min(this.#raisePause * 2, MAX_RAISE_PAUSE)
    this.#raiseAt = now + this.#raisePause
  }

  /** A worker is free and accepts the first connection in the backlog, whatever its connection was closed for. */
  #workerFreed(now: number): void {
    for (const waiting of this.#waiting.values()) {
      if (waiting.freedAt !== 0) continue
      waiting.freedAt = now
      waiting.late = now - waiting.since > this.#usually
      if (waiting.nextAt === 0) this.#postpone(waiting, now)
      return
    }
  }

  #postpone(waiting: Waiting, now: number): void {
    waiting.pause = waiting.pause === 0 ? this.#usually + MIN_RAISE_PAUSE : waiting.pause * 2
    waiting.nextAt = now + waiting.pause
  }
}
