import type { FastCGIError } from '@fastcgi/protocol'
import type { Connection } from '../connection/connection.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { PoolSettings } from '../options.ts'

/** The connections of a pool: finds one for a further request, and closes those that are idle for too long or too old. */
export class Connections {
  readonly #settings: PoolSettings
  readonly #all = new Set<Connection>()
  /** A stack: the last one to become idle is used first, so that those not needed reach `idleTimeout`. */
  readonly #idle: Connection[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(settings: PoolSettings) {
    this.#settings = settings
  }

  /** Number of connections, those being opened included. */
  get size(): number {
    return this.#all.size
  }

  /** Number of idle connections. */
  get idle(): number {
    return this.#idle.length
  }

  /** Number of active requests on all connections. */
  get active(): number {
    let active = 0
    for (const connection of this.#all) active += connection.active
    return active
  }

  add(connection: Connection): void {
    this.#all.add(connection)
  }

  /** Removes a closed connection. */
  remove(connection: Connection): void {
    this.#all.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
  }

  /** Makes a connection available for later requests. */
  addIdle(connection: Connection, now: number): void {
    connection.idleSince = now
    this.#idle.push(connection)
    this.#timer ??= setTimeout(this.#sweep, this.#pause())
  }

  /** Returns an idle connection that can still be used, and closes those that cannot. */
  takeIdle(now: number): Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop()
      if (connection === undefined) return undefined
      if (!connection.closed && !this.isExpired(connection, now)) return connection
      connection.destroy()
    }
  }

  /** Returns a connection with active requests that accepts this one, too (multiplexing). */
  findShareable(exchange: Exchange, now: number): Connection | undefined {
    for (const connection of this.#all) {
      const may = connection.hasRoom && connection.createdAt >= exchange.minCreatedAt
      if (may && !this.isExpired(connection, now)) return connection
    }
    return undefined
  }

  /** Whether a connection has reached `maxAge` or `maxRequests` and must not be used again. */
  isExpired({ createdAt, requests }: Connection, now: number): boolean {
    const { maxAge, maxRequests } = this.#settings
    const usedUp = maxRequests !== 0 && requests >= maxRequests
    return usedUp || (maxAge !== 0 && now - createdAt >= maxAge)
  }

  /** Sets how many requests each connection accepts at the same time. */
  set capacity(capacity: number) {
    for (const connection of this.#all) connection.capacity = capacity
  }

  /** Closes the connection that has been idle longest. */
  closeOneIdle(): void {
    this.#idle[0]?.destroy()
  }

  /** Closes all connections without an active request. */
  closeIdle(): void {
    for (const connection of [...this.#all]) if (connection.active === 0) connection.destroy()
  }

  /** Closes all connections; their requests fail with `reason`. */
  destroy(reason: FastCGIError): void {
    for (const connection of [...this.#all]) connection.destroy(reason)
  }

  /** Stops the timer that closes idle connections. */
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
      const timedOut = idleTimeout !== 0 && now - connection.idleSince >= idleTimeout
      if (this.isExpired(connection, now) || (spare && timedOut)) connection.destroy()
    }
    if (this.#idle.length > 0) this.#timer = setTimeout(this.#sweep, this.#pause())
  }
}
