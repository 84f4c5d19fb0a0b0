import type { FastCGIError } from '@fastcgi/protocol'
import { type Address, parseAddress } from '../address.ts'
import { BaseDispatcher } from '../base-dispatcher.ts'
import { Connection, type ConnectionOwner } from '../connection/connection.ts'
import { queueFullError, queueTimeoutError } from '../connection/connection-errors.ts'
import type { DispatcherStats } from '../dispatcher.ts'
import { AbortedError, ClosedError } from '../errors.ts'
import { runInCheckPhase } from '../exchange/check-phase.ts'
import { asFastCGIError, Exchange, type ExchangeHolder, tellError } from '../exchange/exchange.ts'
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

const INERT_CONTROL: DispatchControl = { resume() {}, abort() {} }

/**
 * Sends requests to one address. It opens connections on demand, keeps them for a short time, and serves queued requests
 * in order of arrival. See {@link PoolOptions.reuse} and {@link PoolOptions.maxConnections} on sharing php-fpm fairly.
 */
export class Pool extends BaseDispatcher implements ConnectionOwner, ExchangeHolder {
  /** Address of the application. */
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

  /** Opens no connection before the first request. @throws OptionError for an invalid address or option. */
  constructor(address: string | Address, options: PoolOptions = {}) {
    super()
    this.address = typeof address === 'string' ? parseAddress(address) : address
    const settings = poolSettings(options)
    this.#settings = settings
    this.#queries = new ValuesQueries(this.address)
    this.#connections = new Connections(settings)
    this.#multiplexing = new Multiplexing(settings.multiplex, settings.maxMultiplexed)
    this.#queue = new RequestQueue(settings.queueTimeout, (exchange) =>
      this.#onQueueTimeout(exchange),
    )
    const { reuse, maxConnections, minConnections, fairness } = settings
    // Without reuse no connection occupies a worker between requests, so there is no limit to learn.
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
        tellError(handler, asFastCGIError(error), false)
      })
      return INERT_CONTROL
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
   * Queries variables of the application with FCGI_GET_VALUES (FastCGI 1.0 §4.1), on a separate connection. Resolves
   * with those that it knows.
   * @throws OptionError for invalid options; FastCGIError when the application does not answer, as many do not.
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
    for (const exchange of this.#backoff.removeAll()) this.#failExchange(exchange, reason)
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
      this.#failExchange(next, reason)
    this.#queries.destroy(reason)
    this.#connections.destroy(reason)
    return this.close()
  }

  // ---- requests

  #start(exchange: Exchange, now: number = performance.now()): void {
    const connection = this.#connectionFor(exchange, now)
    // The request needs a new connection, and closing an idle one frees a worker to accept it.
    if (connection === undefined && exchange.needsNewConnection) this.#connections.closeOneIdle()
    if (connection !== undefined) connection.run(exchange, this.#keepOpen(connection), now)
    else if (this.#mayOpen) this.#open(exchange, now)
    else this.#enqueue(exchange, now)
  }

  /** Returns an open connection for the request, if there is one. */
  #connectionFor(exchange: Exchange, now: number): Connection | undefined {
    if (this.#isFull) return undefined
    const shared =
      this.#multiplexing.capacity > 1 ? this.#connections.findShareable(exchange, now) : undefined
    return shared ?? (exchange.needsNewConnection ? undefined : this.#connections.takeIdle(now))
  }

  get #mayOpen(): boolean {
    return this.#connections.size < this.#mostConnections && !this.#isFull
  }

  get #mostConnections(): number {
    return Math.min(this.#limit.value, this.#multiplexing.maxConnections)
  }

  /** Whether the application has as many active requests as it has reported to support (FCGI_MAX_REQS). */
  get #isFull(): boolean {
    const multiplexing = this.#multiplexing
    return multiplexing.limited && this.#connections.active >= multiplexing.maxRequests
  }

  #open(exchange: Exchange, now: number): Connection {
    const { capacity } = this.#multiplexing
    const connection = new Connection(this.address, this.#settings, this, capacity, now)
    this.#connections.add(connection)
    this.#limit.opened(connection, now)
    connection.open(exchange, this.#keepOpen(connection))
    if (this.#settings.multiplex === 'auto')
      void this.#multiplexing.query(() => this.getValues()).then(() => this.#setCapacity())
    return connection
  }

  #setCapacity(): void {
    this.#connections.capacity = this.#multiplexing.capacity
    this.#serveQueue()
  }

  /**
   * Whether the next request on a connection sets KEEP_CONN. The last of `maxRequests` does not; with multiplexing all
   * do, because the application would close the connection while other requests are active on it.
   */
  #keepOpen(connection: Connection): boolean {
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

  /** Sends queued requests as long as connections are available. */
  #serveQueue(): void {
    // Closing an expired connection in this loop calls onClosed(), which would start the loop again.
    if (this.#serving) return
    this.#serving = true
    try {
      for (let next = this.#queue.first; next !== undefined; next = this.#queue.first) {
        const now = performance.now()
        const connection = this.#connectionFor(next, now)
        if (connection === undefined && !this.#mayOpen) break
        this.#queue.remove(next)
        if (connection !== undefined) connection.run(next, this.#keepOpen(connection), now)
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

  // Opens a connection beyond the limit, to find out whether the application serves more than before.
  readonly #probe = (): void => {
    this.#probeTimer = undefined
    const now = performance.now()
    const exchange = this.#limit.mayProbe(now) && !this.#isFull ? this.#queue.shift() : undefined
    if (exchange !== undefined) this.#limit.probing(this.#open(exchange, now), now)
    if (this.#queue.size > 0) this.#scheduleProbe(now)
  }

  #onQueueTimeout(exchange: Exchange): void {
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

  // ---- events of connections

  onAnswer(connection: Connection, elapsed: number): void {
    this.#limit.answered(connection, elapsed)
  }

  onIdle(connection: Connection): void {
    const now = connection.readAt
    const needsNewConnection = this.#queue.first?.needsNewConnection === true
    const old = this.#connections.isExpired(connection, now)
    if (this.#closing || needsNewConnection || old || this.#mustYield(now)) {
      connection.destroy()
      return
    }
    const next = this.#queue.shift()
    if (next !== undefined) connection.run(next, this.#keepOpen(connection), now)
    else {
      this.#connections.addIdle(connection, now)
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
    // A request that a reused connection did not accept was never seen by the application: it is no attempt.
    if (exchange.reused && !exchange.sent && !exchange.needsNewConnection) exchange.attempts--
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
      exchange.needsNewConnection = true
      exchange.minCreatedAt = connection.closedAt || performance.now()
      this.#start(exchange)
    } else this.#failExchange(exchange, error)
  }

  // ---- idle connections

  /** Schedules a check whether an idle connection must be closed for a starved one: it occupies a worker, too. */
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

  // An application that multiplexes does not need a worker per connection, so no connection has to yield.
  #mustYield(now: number): boolean {
    return this.#multiplexing.capacity === 1 && this.#limit.mustYield(now)
  }

  #checkDrained(): void {
    const left = this.#connections.size + this.#queue.size + this.#backoff.size + this.#queries.size
    if (!this.#closing || left > 0) return
    this.#connections.stop()
    clearTimeout(this.#probeTimer)
    clearTimeout(this.#yieldTimer)
    // Runs after the onEnd() calls that are pending in the check phase.
    for (const resolve of this.#onDrained.splice(0)) runInCheckPhase({ onCheckPhase: resolve })
  }
}
