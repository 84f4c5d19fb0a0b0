import type { BalancedExchange } from './balanced-exchange.ts'

/** Requests that wait for a member to come back, each until its time is up. */
export class WaitingRoom {
  readonly #timers = new Map<BalancedExchange, NodeJS.Timeout>()

  #alarm: NodeJS.Timeout | undefined

  get size(): number {
    return this.#timers.size
  }

  /** @param onTimeUp is called when nobody came within `length` milliseconds. */
  enter(exchange: BalancedExchange, length: number, onTimeUp: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(exchange)
      onTimeUp()
    }, length)
    this.#timers.set(exchange, timer)
  }

  leave(exchange: BalancedExchange): void {
    clearTimeout(this.#timers.get(exchange))
    this.#timers.delete(exchange)
  }

  /** All who wait, in the order they came. */
  get all(): BalancedExchange[] {
    return [...this.#timers.keys()]
  }

  /** Who came first of all who wait. */
  get first(): BalancedExchange | undefined {
    for (const exchange of this.#timers.keys()) return exchange
    return undefined
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
