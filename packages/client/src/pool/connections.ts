import type { FastCGIError } from '@fastcgi/protocol'
import type { Connection } from '../connection/connection.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { PoolSettings } from '../options.ts'

/** The connections of a pool, and which of them can carry a further request. */
export class Connections {
  readonly #settings: PoolSettings
  readonly #all = new Set<Connection>()
  /** The last that came is the first to go; the others grow old and are closed. */
  readonly #idle: Connection[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(settings: PoolSettings) {
    this.#settings = settings
  }

  /** How many there are. */
  get size(): number {
    return this.#all.size
  }

  /** How many of them wait for a request. */
  get idle(): number {
    return this.#idle.length
  }

  /** Requests on all of them. */
  get active(): number {
    let active = 0
    for (const connection of this.#all) active += connection.active
    return active
  }

  add(connection: Connection): void {
    this.#all.add(connection)
  }

  /** It is closed. */
  remove(connection: Connection): void {
    this.#all.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
  }

  /** It waits for a request. */
  putAside(connection: Connection, now: number): void {
    connection.idleSince = now
    this.#idle.push(connection)
    this.#timer ??= setTimeout(this.#sweep, this.#pause())
  }

  /** One that waits and can still be used. */
  takeIdle(now: number): Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop()
      if (connection === undefined) return undefined
      if (!connection.closed && !this.isOld(connection, now)) return connection
      connection.destroy()
    }
  }

  /** One that carries requests already and takes this one, too. */
  joinable(exchange: Exchange, now: number): Connection | undefined {
    for (const connection of this.#all) {
      const may = connection.hasRoom && connection.createdAt >= exchange.sharesFrom
      if (may && !this.isOld(connection, now)) return connection
    }
    return undefined
  }

  /** Whether it must not be used again: over `maxAge`, or `maxRequests`. */
  isOld({ createdAt, requests }: Connection, now: number): boolean {
    const { maxAge, maxRequests } = this.#settings
    const usedUp = maxRequests !== 0 && requests >= maxRequests
    return usedUp || (maxAge !== 0 && now - createdAt >= maxAge)
  }

  /** How many requests each of them takes at a time. */
  set capacity(capacity: number) {
    for (const connection of this.#all) connection.capacity = capacity
  }

  /** Closes the one that has waited longest. */
  closeOneIdle(): void {
    this.#idle[0]?.destroy()
  }

  /** Closes those without a request. */
  closeIdle(): void {
    for (const connection of [...this.#all]) if (connection.active === 0) connection.destroy()
  }

  destroy(reason: FastCGIError): void {
    for (const connection of [...this.#all]) connection.destroy(reason)
  }

  /** Stops looking after those that wait; there are none. */
  stop(): void {
    clearTimeout(this.#timer)
  }

  #pause(): number {
    const { idleTimeout, maxAge } = this.#settings
    const least = Math.min(idleTimeout || Infinity, maxAge || Infinity)
    return least === Infinity ? 60_000 : Math.max(10, Math.ceil(least / 2))
  }

  readonly #sweep = (): void => {
    this.#timer = undefined
    const now = performance.now()
    const { idleTimeout, softMaxConnections } = this.#settings
    for (const connection of [...this.#idle]) {
      const spare = this.#idle.length > softMaxConnections
      const retry = idleTimeout !== 0 && now - connection.idleSince >= idleTimeout
      if (this.isOld(connection, now) || (spare && retry)) connection.destroy()
    }
    if (this.#idle.length > 0) this.#timer = setTimeout(this.#sweep, this.#pause())
  }
}
