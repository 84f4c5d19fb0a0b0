import type { FastCGIError } from '@fastcgi/protocol'

/** What an application says of itself (FastCGI 1.0 §4.1). Names that it does not know are missing. */
export type ApplicationValues = Readonly<Record<string, string>>

/** How many requests may be sent to an application at a time, and how many of them on one connection. */
export class Multiplexing {
  /** Most requests at a time, on all connections. */
  maxRequests: number = Number.POSITIVE_INFINITY
  /** Most connections. */
  maxConnections: number = Number.POSITIVE_INFINITY

  /** Whether there is a limit to the requests on all connections. */
  limited = false

  readonly #most: number
  #mustAsk: boolean
  #capacity: number
  #refused = false

  /** @param most requests on a connection. */
  constructor(multiplex: boolean | 'auto', most: number) {
    this.#mustAsk = multiplex === 'auto'
    this.#most = most
    this.#capacity = multiplex === true ? most : 1
  }

  /** Most requests at a time on one connection. */
  get capacity(): number {
    return this.#capacity
  }

  /**
   * Asks the application, where that is still to be done. Nobody has to wait for it: without an answer all stays as it
   * is.
   * @param ask gets the answer; rejects with a FastCGIError.
   */
  async find(ask: () => Promise<ApplicationValues>): Promise<void> {
    if (!this.#mustAsk) return
    this.#mustAsk = false
    try {
      this.#learn(await ask())
    } catch (error) {
      // It was not there to be asked.
      this.#mustAsk = (error as FastCGIError).code === 'FCGI_CONNECT'
    }
  }

  #learn(values: ApplicationValues): void {
    if (this.#refused || values.FCGI_MPXS_CONNS !== '1') return
    this.maxConnections = count(values.FCGI_MAX_CONNS)
    this.maxRequests = count(values.FCGI_MAX_REQS)
    this.limited = this.maxRequests !== Number.POSITIVE_INFINITY
    this.#capacity = Math.min(this.#most, this.maxRequests)
  }

  /** The application said CANT_MPX_CONN, whatever was said before. */
  refused(): void {
    this.#refused = true
    this.#capacity = 1
  }
}

/** A number of at least 1; anything else is no limit. */
function count(text: string | undefined): number {
  return text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY
}
