import type { ServerTimeouts } from '../options.ts'
import type { Connection } from './connection.ts'

/**
 * Has all connections look after their time limits, now and then: one timer for all, because hardly a limit is ever
 * reached.
 */
export class TimeKeeper {
  readonly #connections: ReadonlySet<Connection>
  readonly #interval: number
  #timer: NodeJS.Timeout | undefined

  constructor(timeouts: ServerTimeouts, connections: ReadonlySet<Connection>) {
    this.#connections = connections
    const least = Math.min(...Object.values(timeouts).filter((limit) => limit > 0))
    this.#interval = Math.max(10, Math.min(1000, least / 4))
  }

  /** Runs as long as there are connections. */
  start(): void {
    this.#timer ??= setInterval(this.#check, this.#interval).unref()
  }

  readonly #check = (): void => {
    const now = performance.now()
    for (const connection of [...this.#connections]) connection.checkTimes(now)
    if (this.#connections.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
