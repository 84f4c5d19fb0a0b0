// Scripts that work on after the end of their response, as with fastcgi_finish_request() of php-fpm.

import type { ScriptAfterWork } from '../dispatcher.ts'

/** Maximum number of scripts that are remembered. */
const MAX_SCRIPTS = 1024

/**
 * Milliseconds of after-work above which a connection is not kept. A worker of php-fpm needs 0.2 to 0.5 ms to close; on a busy
 * machine longer, but the response took longer as well, so up to its time, and this maximum, after-work does not count.
 */
const NEGLIGIBLE = 1
const MOST_NEGLIGIBLE = 10

/** Milliseconds of after-work that are believed at once; less may be the delay of a worker that got no processor. */
const CERTAIN = 500

/** Milliseconds after which the first measurement of a script counts although it has not ended. */
const PENDING = 200

/** Milliseconds after which a remembered time counts half. */
const HALF_LIFE = 10_000

/** Milliseconds after which the longest time that can be remembered has become negligible. */
const KNOWN = 20 * HALF_LIFE

/** Milliseconds that a measurement may take before it is given up; the first while the application has completed none. */
const FIRST_TIMEOUT = 5000
const TIMEOUT = 30_000

/** After how many measurements given up, with none completed, measuring is suspended, and for how many milliseconds. */
const MAX_GIVEN_UP = 2
const SUSPENDED = 60_000

/** Milliseconds of after-work that a request must not lose to another that came later. */
const LONG = 200

/** For how long a run of such a script is remembered: milliseconds at least, and as a multiple of its after-work. */
const LONG_MEMORY = 1000
const LONG_MEMORIES = 2

/** A script, as far as its after-work is concerned. Requests that change something often have more of it than others. */
export interface MeasuredScript {
  /** SCRIPT_FILENAME. */
  readonly script: string
  /** Whether it was run with an idempotent method. */
  readonly idempotent: boolean
}

interface Entry extends MeasuredScript {
  milliseconds: number
  /** About the shortest time of the last few measurements. */
  least: number
  measuredAt: number
  /** Whether the next completion must be measured again. */
  doubted: boolean
}

/**
 * Remembers for how long scripts work on after END_REQUEST, in which time a request on the same connection would wait.
 *
 * It is measured: after END_REQUEST the connection is half-closed, and the worker closes its side when it looks for the
 * next request. A script has after-work when its last few measurements are all over {@link NEGLIGIBLE}, or when the
 * remembered time is over {@link CERTAIN}. That rises fast and falls slowly, because a front controller works on after
 * some requests only: a longer time counts half at once, a shorter one a sixteenth, and the whole is halved every 10
 * seconds. A single time is not enough, because a worker may get no processor for a while: scripts would then lose their
 * kept connections, the new ones would make the processors busier, and the next times longer still.
 *
 * An application that does not close its side at all cannot be measured. After two measurements given up with none
 * completed, connections are kept as if no script had after-work, and measuring begins again after a minute.
 */
export class AfterWork {
  /** By script, those of idempotent requests first: two maps, so that no key has to be made for each request. */
  readonly #entries: readonly [Map<string, Entry>, Map<string, Entry>] = [new Map(), new Map()]
  /** Since when a script that has not been measured before is being measured, in the same order. */
  readonly #pending: readonly [Map<string, number>, Map<string, number>] = [new Map(), new Map()]
  #pendingCount = 0
  /** Until when some script may have after-work; most requests need no look into the tables. */
  #knownUntil = 0
  #longUntil = 0
  /** The entry that was looked up last. */
  #found: Entry | undefined
  #completed = false
  #givenUp = 0
  #suspendedUntil = 0

  /** Milliseconds after which a measurement that begins now must be given up. */
  get timeout(): number {
    return this.#completed ? TIMEOUT : FIRST_TIMEOUT
  }

  /** Whether the application is known to close a connection that has been half-closed. */
  get measurable(): boolean {
    return this.#completed
  }

  /**
   * Whether a connection must be closed after a request of a script: it has after-work, or has not been measured yet.
   * A request without a script belongs to an application that is not php-fpm, and is not measured unasked.
   */
  mustClose({ script, idempotent }: MeasuredScript, now: number): boolean {
    const entry = this.#find(script, idempotent)
    if (entry === undefined) return script !== '' && now >= this.#suspendedUntil
    if (!entry.doubted && entry.milliseconds <= NEGLIGIBLE) return false
    return now >= this.#suspendedUntil && (entry.doubted || hasAfterWork(entry, now))
  }

  /** Whether a connection that is closed after a request of a script is to be half-closed first. */
  isMeasured({ script }: MeasuredScript, now: number): boolean {
    return script !== '' && now >= this.#suspendedUntil
  }

  /** Whether a script is known to have after-work; asked when it is to be run. */
  isExpected(script: MeasuredScript, now: number): boolean {
    const milliseconds = this.timeOf(script, now)
    if (milliseconds > LONG)
      this.#longUntil = now + Math.max(LONG_MEMORY, LONG_MEMORIES * milliseconds)
    return milliseconds > 0
  }

  /** Whether a script with long after-work was run lately. */
  isLong(now: number): boolean {
    return now < this.#longUntil
  }

  /** Milliseconds of after-work that a script is known to have; 0 if none. */
  timeOf({ script, idempotent }: MeasuredScript, now: number): number {
    if (now >= this.#knownUntil && this.#pendingCount === 0) return 0
    if (now < this.#suspendedUntil) return 0
    const entry = this.#find(script, idempotent)
    if (entry !== undefined) return hasAfterWork(entry, now) ? timeOf(entry, now) : 0
    const since = this.#pending[idempotent ? 0 : 1].get(script)
    // A measurement that takes so long need not have ended to show that there is after-work.
    return since !== undefined && now - since > PENDING ? now - since : 0
  }

  /** Notes that a measurement has begun. */
  begin({ script, idempotent }: MeasuredScript, now: number): void {
    const pending = this.#pending[idempotent ? 0 : 1]
    if (this.#map(idempotent).has(script) || pending.has(script)) return
    pending.set(script, now)
    this.#pendingCount++
  }

  /** A request after one of a script, on the same connection, was answered after `elapsed` milliseconds. */
  nextAnswered(script: string, idempotent: boolean, elapsed: number): void {
    if (elapsed < CERTAIN) return
    const entry = this.#map(idempotent).get(script)
    if (entry !== undefined) entry.doubted = true
  }

  /** Records a measurement. @param answeredIn milliseconds that the response took. */
  measured(script: MeasuredScript, milliseconds: number, answeredIn: number, now: number): void {
    this.#completed = true
    const counts = milliseconds > Math.min(answeredIn, MOST_NEGLIGIBLE)
    this.#record(script, counts ? milliseconds : Math.min(milliseconds, NEGLIGIBLE), now)
  }

  /**
   * Records that the application closed its side at a time that is not known, because this process was busy. A script that
   * has not been measured is measured once more, and then taken for a plain one: a process that is always busy would
   * otherwise never keep a connection.
   */
  closedUnseen(script: MeasuredScript, now: number): void {
    this.#completed = true
    this.#end(script)
    const entry = this.#find(script.script, script.idempotent)
    if (entry !== undefined) entry.doubted = false
    else {
      const added = this.#add(script, 0, now)
      added.least = Number.POSITIVE_INFINITY
      added.doubted = true
    }
  }

  /** Records that a measurement was given up after `milliseconds`. */
  gaveUp(script: MeasuredScript, milliseconds: number, now: number): void {
    this.#end(script)
    if (this.#completed) this.#record(script, milliseconds, now)
    else if (++this.#givenUp >= MAX_GIVEN_UP) {
      this.#givenUp = 0
      this.#suspendedUntil = now + SUSPENDED
    }
  }

  /** The scripts that have after-work, the longest first. */
  list(now: number): ScriptAfterWork[] {
    const all: ScriptAfterWork[] = []
    for (const map of this.#entries)
      for (const entry of map.values()) {
        const { script, idempotent } = entry
        const milliseconds = timeOf(entry, now)
        if (hasAfterWork(entry, now)) all.push({ script, idempotent, milliseconds })
      }
    return all.sort((one, other) => other.milliseconds - one.milliseconds)
  }

  #record(measuredScript: MeasuredScript, measured: number, now: number): void {
    const { script, idempotent } = measuredScript
    this.#end(measuredScript)
    if (measured > NEGLIGIBLE) this.#knownUntil = now + KNOWN
    const entry = this.#find(script, idempotent)
    if (entry === undefined) this.#add(measuredScript, measured, now)
    else {
      const before = timeOf(entry, now)
      const first = entry.least === Number.POSITIVE_INFINITY
      const part = first ? 1 : measured > before ? 1 / 2 : 1 / 16
      entry.milliseconds = before + (measured - before) * part
      // It takes about five long times in a row to get from the time of a plain script to one that is not negligible.
      entry.least = Math.min(measured, 1.5 * entry.least + 0.1)
      entry.measuredAt = now
      entry.doubted = false
    }
  }

  #add({ script, idempotent }: MeasuredScript, measured: number, now: number): Entry {
    const map = this.#map(idempotent)
    if (map.size >= MAX_SCRIPTS / 2) deleteFirst(map)
    this.#found = undefined
    const times = { milliseconds: measured, least: measured, measuredAt: now }
    const entry = { script, idempotent, ...times, doubted: false }
    map.set(script, entry)
    return entry
  }

  /** A measurement has ended. */
  #end({ script, idempotent }: MeasuredScript): void {
    if (this.#pending[idempotent ? 0 : 1].delete(script)) this.#pendingCount--
  }

  #find(script: string, idempotent: boolean): Entry | undefined {
    const found = this.#found
    if (found !== undefined && found.script === script && found.idempotent === idempotent)
      return found
    const entry = this.#map(idempotent).get(script)
    if (entry !== undefined) this.#found = entry
    return entry
  }

  #map(idempotent: boolean): Map<string, Entry> {
    return this.#entries[idempotent ? 0 : 1]
  }
}

function timeOf({ milliseconds, measuredAt }: Entry, now: number): number {
  return milliseconds * 2 ** ((measuredAt - now) / HALF_LIFE)
}

function hasAfterWork(entry: Entry, now: number): boolean {
  if (entry.milliseconds <= NEGLIGIBLE) return false
  const milliseconds = timeOf(entry, now)
  return milliseconds > (entry.least > NEGLIGIBLE ? NEGLIGIBLE : CERTAIN)
}

function deleteFirst(map: Map<string, Entry>): void {
  for (const key of map.keys()) {
    map.delete(key)
    return
  }
}
