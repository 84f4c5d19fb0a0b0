// Retries of connecting when the listen backlog of a unix socket is full (EAGAIN).
import type { FastCGIError } from '@fastcgi/protocol'
import type { Exchange } from '../exchange/exchange.ts'

/** Delays in milliseconds before the second, third… attempt to connect. */
const PAUSES: readonly number[] = [5, 20, 80, 200]

/** The requests that wait to be retried after the listen backlog was full. */
export class Backoff {
  readonly #timers = new Map<Exchange, NodeJS.Timeout>()
  readonly #onRetry: (exchange: Exchange) => void

  constructor(onRetry: (exchange: Exchange) => void) {
    this.#onRetry = onRetry
  }

  get size(): number {
    return this.#timers.size
  }

  /** Schedules a retry if `error` is a full backlog and attempts are left; returns whether it did. */
  take(exchange: Exchange, error: FastCGIError): boolean {
    const pause = isBacklogFull(error) ? PAUSES[exchange.attempts - 1] : undefined
    if (pause === undefined) return false
    const retry = (): void => {
      this.#timers.delete(exchange)
      this.#onRetry(exchange)
    }
    this.#timers.set(exchange, setTimeout(retry, pause))
    return true
  }

  remove(exchange: Exchange): void {
    clearTimeout(this.#timers.get(exchange))
    this.#timers.delete(exchange)
  }

  /** Removes and returns all requests. */
  removeAll(): Exchange[] {
    const all = [...this.#timers.keys()]
    for (const exchange of all) this.remove(exchange)
    return all
  }
}

function isBacklogFull(error: FastCGIError): boolean {
  return error.code === 'FCGI_OVERLOADED' && (error.cause as { code?: unknown })?.code === 'EAGAIN'
}
