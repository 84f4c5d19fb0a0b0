import type { FastCGIError } from '@fastcgi/protocol'
import type { PoolSettings } from '../options.ts'
import type { Clock, Timer } from './clock.ts'

/** What a pool needs to know of a connection. */
export interface PooledConnection {
  readonly createdAt: number
  /** Number of requests started. */
  readonly requests: number
  /** Number of active requests. */
  readonly active: number
  readonly closed: boolean
  /** Whether it accepts a further request besides its active ones (multiplexing). */
  readonly hasRoom: boolean
  capacity: number
  /** When it became idle, or its last request ended; set by {@link Connections}. */
  idleSince: number
  /** Closes it at once; active requests fail with `reason`. */
  destroy(reason?: FastCGIError): void
  /** Half-closes it, and closes it when the application has closed its side, or after `timeout` milliseconds. */
  finish(timeout: number): void
}

/** The options that decide how long connections are kept. */
export type KeepSettings = Pick<
  PoolSettings,
  'idleTimeout' | 'maxAge' | 'maxRequests' | 'softMaxConnections'
>

/** Milliseconds that a worker may need after the end of a response until it looks for the next request. */
const SETTLE_TIME = 3

/** The connections of a pool: finds one for a further request, and closes those that are idle for too long or too old. */
export class Connections<Connection extends PooledConnection> {
  readonly #settings: KeepSettings
  readonly #clock: Clock
  readonly #all = new Set<Connection>()
  /** In the order in which they became idle. */
  readonly #idle: Connection[] = []
  /** Half-closed connections. */
  readonly #finishing = new Set<Connection>()
  #timer: Timer | undefined

  constructor(settings: KeepSettings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
  }

  /** Number of connections, those being opened and those being closed included. */
  get size(): number {
    return this.#all.size
  }

  /** Number of idle connections. */
  get idle(): number {
    return this.#idle.length
  }

  /** Number of half-closed connections. */
  get finishing(): number {
    return this.#finishing.size
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

  /** Removes a closed connection. Returns whether it had been half-closed. */
  remove(connection: Connection): boolean {
    this.#all.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
    return this.#finishing.delete(connection)
  }

  /** Makes a connection available for later requests. */
  addIdle(connection: Connection, now: number): void {
    connection.idleSince = now
    this.#idle.push(connection)
    this.#timer ??= this.#clock.set(this.#sweep, this.#pause())
  }

  /** Half-closes a connection whose request has just ended. */
  finish(connection: Connection, timeout: number, now: number): void {
    connection.idleSince = now
    this.#finishing.add(connection)
    connection.finish(timeout)
  }

  /**
   * Returns an idle connection that can still be used, and closes those that cannot. The last one to become idle is
   * preferred, so that those not needed reach `idleTimeout`; but when it has only just become idle, its worker may still
   * be busy with the end of the request, and the one that has been idle longest is used.
   */
  takeIdle(now: number): Connection | undefined {
    const idle = this.#idle
    for (;;) {
      const last = idle.at(-1)
      if (last === undefined) return undefined
      const rested = now - last.idleSince > SETTLE_TIME || idle.length === 1
      const connection = rested ? idle.pop() : idle.shift()
      if (connection === undefined) return undefined
      if (!connection.closed && !this.isExpired(connection, now)) return connection
      connection.destroy()
    }
  }

  /** Returns a connection with active requests that accepts a further one, and is not older than `minCreatedAt`. */
  findShareable(minCreatedAt: number, now: number): Connection | undefined {
    for (const connection of this.#all) {
      const may = connection.hasRoom && connection.createdAt >= minCreatedAt
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

  /** Closes the connection that has been half-closed longest. */
  closeOneFinishing(): void {
    for (const connection of this.#finishing) {
      connection.destroy()
      return
    }
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
    this.#clock.clear(this.#timer)
  }

  #pause(): number {
    const { idleTimeout, maxAge } = this.#settings
    const least = Math.min(idleTimeout || Infinity, maxAge || Infinity)
    return least === Infinity ? 60_000 : Math.max(10, Math.ceil(least / 2))
  }

  readonly #sweep = (): void => {
    this.#timer = undefined
    const now = this.#clock.now()
    const { idleTimeout, softMaxConnections } = this.#settings
    for (const connection of [...this.#idle]) {
      const spare = this.#idle.length > softMaxConnections
      const timedOut = idleTimeout !== 0 && now - connection.idleSince >= idleTimeout
      if (this.isExpired(connection, now) || (spare && timedOut)) connection.destroy()
    }
    if (this.#idle.length > 0) this.#timer = this.#clock.set(this.#sweep, this.#pause())
  }
}
