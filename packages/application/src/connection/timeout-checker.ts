import type { ServerTimeouts } from '../options.ts'
import type { Connection } from './connection.ts'

/**
 * Checks the timeouts of all connections periodically, as node:http's connectionsCheckingInterval does. One timer for all
 * costs less than one per request, and timeouts, which are rarely reached, need no precision.
 */
export class TimeoutChecker {
  readonly #connections: ReadonlySet<Connection>
  readonly #interval: number
  #timer: NodeJS.Timeout | undefined

  constructor(timeouts: ServerTimeouts, connections: ReadonlySet<Connection>) {
    this.#connections = connections
    // A timeout is exceeded by at most a quarter of the shortest one, or a second.
    const least = Math.min(...Object.values(timeouts).filter((limit) => limit > 0))
    this.#interval = Math.max(10, Math.min(1000, least / 4))
  }

  /** Starts the timer, which runs as long as there are connections. */
  start(): void {
    this.#timer ??= setInterval(this.#check, this.#interval).unref()
  }

  readonly #check = (): void => {
    const now = performance.now()
    for (const connection of [...this.#connections]) connection.checkTimeouts(now)
    if (this.#connections.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
