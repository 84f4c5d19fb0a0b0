import type { FastCGIError } from '@fastcgi/protocol'
import { type Address, parseAddress } from '../address.ts'
import { BaseDispatcher } from '../base-dispatcher.ts'
import { Connection, type ConnectionOwner } from '../connection/connection.ts'
import { queueFullError, queueTimeoutError } from '../connection/connection-errors.ts'
import type { DispatcherStats } from '../dispatcher.ts'
import { AbortedError, ClosedError } from '../errors.ts'
import { runInCheckPhase } from '../exchange/check-phase.ts'
import { asFastCGIError, Exchange, type ExchangeHolder } from '../exchange/exchange.ts'
import type { DispatchControl, DispatchHandler } from '../exchange/handler.ts'
import type { FastCGIRequest } from '../exchange/request.ts'
import { mayRetryHere } from '../exchange/retry.ts'
import { type PoolOptions, type PoolSettings, poolSettings } from '../options.ts'
import { Backoff } from './backoff.ts'
import { AUTO_MAXIMUM, ConcurrencyLimit } from './concurrency-limit.ts'
import { Connections } from './connections.ts'
import { type ApplicationValues, Multiplexing } from './multiplexing.ts'
import { RequestQueue } from './request-queue.ts'
import { type GetValuesOptions, ValuesQueries } from './values-queries.ts'

const NO_CONTROL: DispatchControl = { resume() {}, abort() {} }

/**
 * Connections to one address: made on demand, kept for a short time, shared out in order of arrival.
 * See {@link PoolOptions.reuse} and {@link PoolOptions.maxConnections} for what makes it fair to php-fpm.
 */
export class Pool extends BaseDispatcher implements ConnectionOwner, ExchangeHolder {
  /** Where it connects to. */
  readonly address: Address

  readonly #settings: PoolSettings
  readonly #connections: Connections
  readonly #queue: RequestQueue<Exchange>
  readonly #limit: ConcurrencyLimit<Connection>
  readonly #multiplexing: Multiplexing
  readonly #queries: ValuesQueries
  readonly #backoff: Backoff = new Backoff((exchange) => this.#start(exchange))
  #probeTimer: NodeJS.Timeout | undefined
  #yieldTimer: NodeJS.Timeout | undefined
  #serving = false
  #closing = false
  #onDrained: Array<() => void> = []
  #requests = 0
  #failed = 0
  #retries = 0

  /** @throws OptionError for a bad address or option. */
  constructor(address: string | Address, options: PoolOptions = {}) {
    super()
    this.address = typeof address === 'string' ? parseAddress(address) : address
    const settings = poolSettings(options)
    this.#settings = settings
    this.#queries = new ValuesQueries(this.address)
    this.#connections = new Connections(settings)
    this.#multiplexing = new Multiplexing(settings.multiplex, settings.maxMultiplexed)
    this.#queue = new RequestQueue(settings.queueTimeout, (exchange) => this.#expired(exchange))
    const { reuse, maxConnections, minConnections, fairness } = settings
    // Without reuse nobody holds a worker back, and there is nothing to learn.
    const most = maxConnections === 'auto' && !reuse ? AUTO_MAXIMUM : maxConnections
    this.#limit = new ConcurrencyLimit({ most, least: minConnections, fairness })
  }

  protected override run(request: FastCGIRequest, handler: DispatchHandler): DispatchControl {
    this.#requests++
    const refusal = this.#closing ? this.#closedError() : undefined
    let exchange: Exchange
    try {
      exchange = new Exchange(request, handler, this.#settings, performance.now())
    } catch (error) {
      process.nextTick(() => {
        this.#failed++
        handler.onError(asFastCGIError(error), false)
      })
      return NO_CONTROL
    }
    if (refusal !== undefined || exchange.abortedEarly) {
      const error = refusal ?? new AbortedError({ cause: request.signal?.reason })
      process.nextTick(() => this.#failExchange(exchange, error))
    } else this.#start(exchange, exchange.startedAt)
    return exchange
  }

  override get stats(): DispatcherStats {
    return {
      connections: this.#connections.size,
      idle: this.#connections.idle,
      active: this.#connections.active,
      queued: this.#queue.size + this.#backoff.size,
      limit: this.#mostConnections,
      requests: this.#requests,
      failed: this.#failed,
      retries: this.#retries,
    }
  }

  /**
   * Asks the application for variables, with FCGI_GET_VALUES (FastCGI 1.0 §4.1) on a connection of its own. Resolves
   * with those that it knows.
   * @throws FastCGIError when it does not answer, as many do not.
   */
  async getValues(options: GetValuesOptions = {}): Promise<ApplicationValues> {
    if (this.#closing) throw this.#closedError()
    return this.#queries.ask(options).finally(() => this.#checkDrained())
  }

  override close(): Promise<void> {
    this.#closing = true
    this.#connections.closeIdle()
    return new Promise((resolve) => {
      this.#onDrained.push(resolve)
      this.#checkDrained()
    })
  }

  override destroy(error?: Error): Promise<void> {
    this.#closing = true
    const reason = this.#closedError(error)
    for (const exchange of this.#backoff.empty()) this.#failExchange(exchange, reason)
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
      this.#failExchange(next, reason)
    this.#queries.destroy(reason)
    this.#connections.destroy(reason)
    return this.close()
  }

  // ---- requests

  #start(exchange: Exchange, now: number = performance.now()): void {
    const connection = this.#connectionFor(exchange, now)
    // Its worker is the one that takes the new connection.
    if (connection === undefined && exchange.needsNew) this.#connections.closeOneIdle()
    if (connection !== undefined) connection.run(exchange, this.#keeps(connection), now)
    else if (this.#mayOpen) this.#open(exchange, now)
    else this.#enqueue(exchange, now)
  }

  /** A connection that stands and takes the request. */
  #connectionFor(exchange: Exchange, now: number): Connection | undefined {
    if (this.#isFull) return undefined
    const shared =
      this.#multiplexing.capacity > 1 ? this.#connections.joinable(exchange, now) : undefined
    return shared ?? (exchange.needsNew ? undefined : this.#connections.takeIdle(now))
  }

  get #mayOpen(): boolean {
    return this.#connections.size < this.#mostConnections && !this.#isFull
  }

  get #mostConnections(): number {
    return Math.min(this.#limit.value, this.#multiplexing.maxConnections)
  }

  /** Whether the application has as many requests as it said it takes. */
  get #isFull(): boolean {
    const multiplexing = this.#multiplexing
    return multiplexing.limited && this.#connections.active >= multiplexing.maxRequests
  }

  #open(exchange: Exchange, now: number): Connection {
    const { capacity } = this.#multiplexing
    const connection = new Connection(this.address, this.#settings, this, capacity, now)
    this.#connections.add(connection)
    this.#limit.opened(connection, now)
    connection.open(exchange, this.#keeps(connection))
    if (this.#settings.multiplex === 'auto')
      void this.#multiplexing.find(() => this.getValues()).then(() => this.#setCapacity())
    return connection
  }

  #setCapacity(): void {
    this.#connections.capacity = this.#multiplexing.capacity
    this.#serveQueue()
  }

  /**
   * Whether the next request on a connection leaves it open; the last of `maxRequests` tells the application so. Where
   * others are on it, only we can know when to close it.
   */
  #keeps(connection: Connection): boolean {
    if (connection.capacity > 1 || connection.active > 0) return true
    const { reuse, maxRequests } = this.#settings
    return (
      reuse !== false &&
      !this.#closing &&
      (maxRequests === 0 || connection.requests + 1 < maxRequests)
    )
  }

  #enqueue(exchange: Exchange, now: number): void {
    if (this.#queue.size >= this.#settings.maxQueue) {
      const error = queueFullError(this.address, this.#queue.size)
      process.nextTick(() => this.#failExchange(exchange, error))
      return
    }
    exchange.holder = this
    this.#queue.push(exchange, now)
    this.#scheduleProbe(now)
  }

  /** Puts waiting requests onto whatever room there is. */
  #serveQueue(): void {
    // What happens on the way, such as an old connection being closed, would call it again.
    if (this.#serving) return
    this.#serving = true
    try {
      for (let next = this.#queue.first; next !== undefined; next = this.#queue.first) {
        const now = performance.now()
        const connection = this.#connectionFor(next, now)
        if (connection === undefined && !this.#mayOpen) break
        this.#queue.remove(next)
        if (connection !== undefined) connection.run(next, this.#keeps(connection), now)
        else this.#open(next, now)
      }
    } finally {
      this.#serving = false
    }
    if (this.#queue.size > 0) this.#scheduleProbe(performance.now())
  }

  #scheduleProbe(now: number): void {
    if (this.#probeTimer !== undefined) return
    const pause = this.#limit.nextProbeIn(now)
    if (pause !== undefined) this.#probeTimer = setTimeout(this.#probe, pause)
  }

  // One connection more than seems to be served, to find out whether it still is so.
  readonly #probe = (): void => {
    this.#probeTimer = undefined
    const now = performance.now()
    const exchange = this.#limit.mayProbe(now) && !this.#isFull ? this.#queue.shift() : undefined
    if (exchange !== undefined) this.#limit.probing(this.#open(exchange, now), now)
    if (this.#queue.size > 0) this.#scheduleProbe(now)
  }

  #expired(exchange: Exchange): void {
    const { size } = this.#connections
    this.#failExchange(exchange, queueTimeoutError(this.address, this.#settings.queueTimeout, size))
  }

  drop(exchange: Exchange): void {
    this.#failed++
    this.#queue.remove(exchange)
    this.#backoff.remove(exchange)
    this.#checkDrained()
  }

  resume(): void {}

  #failExchange(exchange: Exchange, error: FastCGIError): void {
    this.#failed++
    exchange.fail(error)
    this.#checkDrained()
  }

  #closedError(cause?: Error): ClosedError {
    return new ClosedError(`the pool of ${this.address.name} is closed`, { cause })
  }

  // ---- what connections tell

  onAnswer(connection: Connection, elapsed: number): void {
    this.#limit.answered(connection, elapsed)
  }

  onIdle(connection: Connection): void {
    const now = connection.readAt
    const needsNew = this.#queue.first?.needsNew === true
    const old = this.#connections.isOld(connection, now)
    if (this.#closing || needsNew || old || this.#mustYield(now)) {
      connection.destroy()
      return
    }
    const next = this.#queue.shift()
    if (next !== undefined) connection.run(next, this.#keeps(connection), now)
    else {
      this.#connections.putAside(connection, now)
      this.#scheduleYield(now)
    }
  }

  onRoom(connection: Connection): void {
    if (this.#closing && connection.active === 0) connection.destroy()
    else this.#serveQueue()
  }

  onDropped(): void {
    this.#failed++
  }

  onClosed(connection: Connection): void {
    this.#connections.remove(connection)
    this.#limit.closed(connection)
    this.#serveQueue()
    this.#checkDrained()
  }

  onFailure(connection: Connection, exchange: Exchange, error: FastCGIError): void {
    exchange.finishAttempt(error.code)
    // Of what a kept connection did not take, the application knows nothing: that was no attempt.
    if (exchange.reused && !exchange.sent && !exchange.needsNew) exchange.attempts--
    if (exchange.refused && this.#multiplexing.capacity > 1) {
      this.#multiplexing.refused()
      this.#setCapacity()
    }
    if (!this.#closing && this.#backoff.take(exchange, error)) exchange.holder = this
    else if (
      exchange.attempts <= this.#settings.retries &&
      mayRetryHere(exchange, error) &&
      !this.#closing
    ) {
      this.#retries++
      exchange.needsNew = true
      exchange.sharesFrom = connection.closedAt || performance.now()
      this.#start(exchange)
    } else this.#failExchange(exchange, error)
  }

  // ---- idle connections

  /** An idle connection, too, keeps its worker from those that wait. */
  #scheduleYield(now: number): void {
    const pause = this.#limit.starvesIn(now)
    if (pause !== undefined) this.#yieldTimer ??= setTimeout(this.#yieldIdle, pause)
  }

  readonly #yieldIdle = (): void => {
    this.#yieldTimer = undefined
    const now = performance.now()
    while (this.#connections.idle > 0 && this.#mustYield(now)) this.#connections.closeOneIdle()
    if (this.#connections.idle > 0) this.#scheduleYield(now)
  }

  // Whoever multiplexes serves a connection whatever becomes of the others.
  #mustYield(now: number): boolean {
    return this.#multiplexing.capacity === 1 && this.#limit.mustYield(now)
  }

  #checkDrained(): void {
    const left = this.#connections.size + this.#queue.size + this.#backoff.size + this.#queries.size
    if (!this.#closing || left > 0) return
    this.#connections.stop()
    clearTimeout(this.#probeTimer)
    clearTimeout(this.#yieldTimer)
    // Behind the ends of responses that have not been told.
    for (const resolve of this.#onDrained.splice(0)) runInCheckPhase({ onCheckPhase: resolve })
  }
}
