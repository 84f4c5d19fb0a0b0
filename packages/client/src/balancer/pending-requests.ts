import type { FastCGIError } from '@fastcgi/protocol'
import type { BalancedExchange } from './balanced-exchange.ts'

/** The requests that wait for a member, as seen from outside. */
export interface Waiting {
  readonly size: number
  /** When the first of them came, as of performance.now(). */
  readonly since: number | undefined
  /** Called whenever one begins to wait. */
  onEnter: (() => void) | undefined
  /** Fails them, for whoever knows that no member will come. */
  refuse(error: FastCGIError): void
}

/** Requests that wait for a member to come back, or to have room, each until its time is up. */
export class PendingRequests implements Waiting {
  onEnter: (() => void) | undefined
  readonly #timers = new Map<BalancedExchange, NodeJS.Timeout>()
  #alarm: NodeJS.Timeout | undefined
  #serving = false

  get size(): number {
    return this.#timers.size
  }

  get since(): number | undefined {
    for (const { startedAt } of this.#timers.keys()) return startedAt
    return undefined
  }

  /** @param onTimeUp is called when nobody came within `length` milliseconds. */
  enter(exchange: BalancedExchange, length: number, onTimeUp: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(exchange)
      onTimeUp()
    }, length)
    this.#timers.set(exchange, timer)
    this.onEnter?.()
  }

  leave(exchange: BalancedExchange): void {
    clearTimeout(this.#timers.get(exchange))
    this.#timers.delete(exchange)
  }

  /** Lets them out, in the order they came, until there is no room. Those that find nobody come in again. */
  serve(carry: (exchange: BalancedExchange) => void, isFull: () => boolean): void {
    // Who is carried and fails at once makes room while others are being carried: that is seen below.
    if (this.#serving) return
    this.#serving = true
    try {
      for (const exchange of [...this.#timers.keys()]) {
        if (isFull()) return
        this.leave(exchange)
        carry(exchange)
      }
    } finally {
      this.#serving = false
    }
  }

  refuse(error: FastCGIError): void {
    for (const exchange of [...this.#timers.keys()]) exchange.fail(error)
  }

  /** Calls `again` in so many milliseconds, if somebody waits; Infinity is never. The last call counts. */
  wake(length: number, again: () => void): void {
    this.sleep()
    if (this.size > 0 && length < Number.POSITIVE_INFINITY) this.#alarm = setTimeout(again, length)
  }

  sleep(): void {
    clearTimeout(this.#alarm)
  }
}
