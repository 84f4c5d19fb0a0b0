import type { Exchange } from './exchange.ts'

/** Requests that wait for a connection, first come, first served, each for a bounded time. */
export class RequestQueue {
  readonly #entries = new Map<Exchange, number>()
  readonly #timeout: number
  readonly #onExpired: (exchange: Exchange) => void
  #timer: NodeJS.Timeout | undefined

  /** @param timeout milliseconds an entry may wait; 0 for ever. */
  constructor(timeout: number, onExpired: (exchange: Exchange) => void) {
    this.#timeout = timeout
    this.#onExpired = onExpired
  }

  get size(): number {
    return this.#entries.size
  }

  /** The one that has waited longest. */
  get first(): Exchange | undefined {
    for (const exchange of this.#entries.keys()) return exchange
    return undefined
  }

  push(exchange: Exchange, now: number): void {
    this.#entries.set(exchange, now + this.#timeout)
    if (this.#timeout > 0) this.#timer ??= setTimeout(this.#expire, this.#timeout)
  }

  shift(): Exchange | undefined {
    for (const exchange of this.#entries.keys()) {
      this.remove(exchange)
      return exchange
    }
    return undefined
  }

  remove(exchange: Exchange): void {
    this.#entries.delete(exchange)
    if (this.#entries.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  // The timer is set for the entry that was first when it was set; the first one now may have time left.
  readonly #expire = (): void => {
    this.#timer = undefined
    const now = performance.now() + 1
    for (const [exchange, deadline] of this.#entries) {
      if (deadline > now) {
        // Whoever just expired may have pushed another one.
        clearTimeout(this.#timer)
        this.#timer = setTimeout(this.#expire, deadline - now + 1)
        return
      }
      this.#entries.delete(exchange)
      this.#onExpired(exchange)
    }
  }
}
