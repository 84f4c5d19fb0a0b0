// Watches dispatchers, so that their status says what has happened in the last minutes.

import type { Dispatcher } from '@fastcgi/client'
import { reportThrown } from '@fastcgi/client/internal'
import type { GatewayCache } from '../cache/caches.ts'
import { Histories } from './histories.ts'
import { STEP } from './history.ts'
import { Rates } from './rates.ts'
import type { StatusSnapshot } from './snapshot.ts'
import { takeSnapshot } from './take-snapshot.ts'

/** Returns what is there at the moment, by name. */
export interface Watched {
  dispatchers(): Readonly<Record<string, Dispatcher>>
  caches(): Readonly<Record<string, GatewayCache>>
}

/**
 * Takes snapshots, and looks at the counters every ten seconds. That costs some microseconds for each member. It does not keep
 * the process running, and ends when the monitor is no longer referenced.
 */
export class Monitor {
  readonly #watched: Watched
  readonly #rates = new Rates()
  readonly #histories = new Histories()

  constructor(watched: Watched) {
    this.#watched = watched
    this.#look()
    tickWith(new WeakRef(this))
  }

  /** The status at this moment. */
  snapshot(): StatusSnapshot {
    const { dispatchers, caches } = this.#watched
    const known = { rates: this.#rates, histories: this.#histories }
    return takeSnapshot({ dispatchers: dispatchers(), caches: caches(), ...known })
  }

  /** Closes a step of the histories. */
  look(): void {
    this.#look()
  }

  #look(): void {
    try {
      this.#histories.add(new Set(Object.values(this.#watched.dispatchers())), Date.now())
    } catch (error) {
      reportThrown('the function dispatchers of a status', error)
    }
  }
}

/** At the end of each step. The function of the timer must not hold the monitor. */
function tickWith(monitor: WeakRef<Monitor>): void {
  const pause = STEP - (Date.now() % STEP)
  setTimeout(() => {
    const watching = monitor.deref()
    if (watching === undefined) return
    watching.look()
    tickWith(monitor)
  }, pause).unref()
}
