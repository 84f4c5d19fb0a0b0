import type { FastCGIError } from '@fastcgi/protocol'
import type { Exchange } from '../exchange/exchange.ts'

/** Milliseconds before another try where a unix socket's backlog was full. */
const PAUSES: readonly number[] = [5, 20, 80, 200]

/** Requests that found a full backlog and try again shortly. */
export class Backoff {
  readonly #timers = new Map<Exchange, NodeJS.Timeout>()
  readonly #onRetry: (exchange: Exchange) => void

  constructor(onRetry: (exchange: Exchange) => void) {
    this.#onRetry = onRetry
  }

  get size(): number {
    return this.#timers.size
  }

  /** Takes a request that failed with `error`, unless that was something else, or it has tried often enough. */
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

  /** Takes all of them out. */
  empty(): Exchange[] {
    const all = [...this.#timers.keys()]
    for (const exchange of all) this.remove(exchange)
    return all
  }
}

function isBacklogFull(error: FastCGIError): boolean {
  return error.code === 'FCGI_OVERLOADED' && (error.cause as { code?: unknown })?.code === 'EAGAIN'
}
