// The queue of a balancer: requests for which no member is available at the moment.
import type { FastCGIError } from '@fastcgi/protocol'
import type { BalancedExchange } from './balanced-exchange.ts'

/** The requests that wait for a member of a balancer, as process managers see them. */
export interface Waiting {
  /** Number of waiting requests. */
  readonly size: number
  /** performance.now() when the first of them was dispatched; undefined when none waits. */
  readonly since: number | undefined
  /** Called whenever a request begins to wait. */
  onEnter: (() => void) | undefined
  /** Fails all waiting requests, when it is certain that no member will become available. */
  refuse(error: FastCGIError): void
}

/** Requests that wait until a member becomes available again or falls below its `maxLoad`, each for a limited time. */
export class PendingRequests implements Waiting {
  onEnter: (() => void) | undefined
  readonly #timers = new Map<BalancedExchange, NodeJS.Timeout>()
  #retryTimer: NodeJS.Timeout | undefined
  #serving = false

  get size(): number {
    return this.#timers.size
  }

  get since(): number | undefined {
    for (const { startedAt } of this.#timers.keys()) return startedAt
    return undefined
  }

  /** Adds a request. @param onTimeUp called after its removal when it has waited `length` milliseconds. */
  add(exchange: BalancedExchange, length: number, onTimeUp: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(exchange)
      onTimeUp()
    }, length)
    this.#timers.set(exchange, timer)
    this.onEnter?.()
  }

  /** Removes a request; has no effect when it does not wait. */
  remove(exchange: BalancedExchange): void {
    clearTimeout(this.#timers.get(exchange))
    this.#timers.delete(exchange)
  }

  /**
   * Removes the requests in order of arrival and passes them to `assign`, until `isFull` returns true. `assign` adds
   * those again for which no member is available.
   */
  serve(assign: (exchange: BalancedExchange) => void, isFull: () => boolean): void {
    // A request that fails synchronously calls this again; the loop that is running sees the capacity it has freed.
    if (this.#serving) return
    this.#serving = true
    try {
      for (const exchange of [...this.#timers.keys()]) {
        if (isFull()) return
        this.remove(exchange)
        assign(exchange)
      }
    } finally {
      this.#serving = false
    }
  }

  refuse(error: FastCGIError): void {
    for (const exchange of [...this.#timers.keys()]) exchange.fail(error, true)
  }

  /** Calls `again` after `length` milliseconds if requests wait; never if it is Infinity. Replaces an earlier timer. */
  setRetryTimer(length: number, again: () => void): void {
    this.clearRetryTimer()
    if (this.size > 0 && length < Number.POSITIVE_INFINITY)
      this.#retryTimer = setTimeout(again, length)
  }

  clearRetryTimer(): void {
    clearTimeout(this.#retryTimer)
  }
}
