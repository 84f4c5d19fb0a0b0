// Whether, and how far, an application supports several requests on one connection.
import type { FastCGIError } from '@fastcgi/protocol'

/** Variables of an application and their values (FastCGI 1.0 §4.1). Variables that it does not know are missing. */
export type ApplicationValues = Readonly<Record<string, string>>

/** What the application supports: requests at the same time per connection and in total, and connections. */
export class Multiplexing {
  /** FCGI_MAX_REQS: maximum number of active requests on all connections. */
  maxRequests: number = Number.POSITIVE_INFINITY
  /** FCGI_MAX_CONNS: maximum number of connections. */
  maxConnections: number = Number.POSITIVE_INFINITY

  /** Whether `maxRequests` is finite. */
  limited = false

  readonly #most: number
  #mustAsk: boolean
  #capacity: number
  #refused = false

  /** @param most maximum number of requests at the same time on a connection that multiplexes. */
  constructor(multiplex: boolean | 'auto', most: number) {
    this.#mustAsk = multiplex === 'auto'
    this.#most = most
    this.#capacity = multiplex === true ? most : 1
  }

  /** Current maximum number of requests at the same time on one connection; 1 without multiplexing. */
  get capacity(): number {
    return this.#capacity
  }

  /**
   * Queries the application, if that is still to be done. Without an answer the capacity stays 1.
   * @param ask sends the query; rejects with a FastCGIError.
   */
  async query(ask: () => Promise<ApplicationValues>): Promise<void> {
    if (!this.#mustAsk) return
    this.#mustAsk = false
    try {
      this.#learn(await ask())
    } catch (error) {
      // The application was not running; query it again with the next connection.
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

  /** Disables multiplexing for good after FCGI_CANT_MPX_CONN, whatever the application has reported before. */
  refused(): void {
    this.#refused = true
    this.#capacity = 1
  }
}

/** Parses an integer of at least 1; returns Infinity for anything else. */
function count(text: string | undefined): number {
  return text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY
}
