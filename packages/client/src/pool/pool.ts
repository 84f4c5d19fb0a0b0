import type { FastCGIError } from '@fastcgi/protocol'
import { type Address, parseAddress } from '../address.ts'
import { BaseDispatcher } from '../base-dispatcher.ts'
import { Connection, type ConnectionOwner } from '../connection/connection.ts'
import { queueFullError, queueTimeoutError } from '../connection/connection-errors.ts'
import type { DispatcherStats } from '../dispatcher.ts'
import { AbortedError, ClosedError } from '../errors.ts'
import { type DispatcherEvent, EventLog } from '../events.ts'
import { runInCheckPhase } from '../exchange/check-phase.ts'
import { Exchange, type ExchangeHolder } from '../exchange/exchange.ts'
import { Figures } from '../exchange/figures.ts'
import type { DispatchControl, DispatchHandler } from '../exchange/handler.ts'
import { asFastCGIError, tellError } from '../exchange/handler-errors.ts'
import type { FastCGIRequest } from '../exchange/request.ts'
import { mayRetryHere } from '../exchange/retry.ts'
import { type PoolOptions, type PoolSettings, poolSettings } from '../options.ts'
import { Endpoint } from '../socket/endpoint.ts'
import { AUTO_MAXIMUM } from './backlog.ts'
import { Backoff } from './backoff.ts'
import { systemClock } from './clock.ts'
import type { Connections } from './connections.ts'
import { type ApplicationValues, Multiplexing } from './multiplexing.ts'
import type { SchedulerHost } from './scheduled.ts'
import { Scheduler } from './scheduler.ts'
import { type GetValuesOptions, ValuesQueries } from './values-queries.ts'

const INERT_CONTROL: DispatchControl = { resume() {}, abort() {} }

/**
 * Sends requests to one address. It opens connections on demand, keeps them for a short time, and serves queued requests
 * in order of arrival. See {@link PoolOptions.reuse} and {@link PoolOptions.maxConnections} on sharing php-fpm fairly.
 */
export class Pool extends BaseDispatcher implements ConnectionOwner, ExchangeHolder {
  /** Address of the application. */
  readonly address: Address
  /** Counters, latency and last error of the application. */
  readonly figures: Figures = new Figures((event) =>
    this.#events.add({ ...event, member: this.address.name }),
  )

  readonly #settings: PoolSettings
  readonly #scheduler: Scheduler<Connection, Exchange>
  readonly #multiplexing: Multiplexing
  readonly #endpoint: Endpoint
  readonly #queries: ValuesQueries
  readonly #backoff: Backoff = new Backoff((exchange) => this.#start(exchange))
  readonly #events = new EventLog()
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
    this.#endpoint = new Endpoint(this.address, settings)
    this.#queries = new ValuesQueries(this.#endpoint)
    this.#multiplexing = new Multiplexing(settings.multiplex, settings.maxMultiplexed)
    const { reuse, maxConnections, minConnections } = settings
    // Without reuse no connection occupies a worker between requests, so there is no limit to learn.
    const most = maxConnections === 'auto' && !reuse ? AUTO_MAXIMUM : maxConnections
    const learned = { ...settings, most, least: minConnections }
    this.#scheduler = new Scheduler(learned, this.#schedulerHost(), systemClock)
  }

  protected override run(request: FastCGIRequest, handler: DispatchHandler): DispatchControl {
    this.#requests++
    const refusal = this.#closing ? this.#closedError() : undefined
    let exchange: Exchange
    try {
      exchange = new Exchange(request, handler, this.#settings, this.figures, performance.now())
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

  /** The last events: failures, that the application began to fail or answered again, and cuts of the learned limit. */
  get events(): readonly DispatcherEvent[] {
    return this.#events.all
  }

  override get stats(): DispatcherStats {
    const now = performance.now()
    const afterWork = this.#scheduler.afterWork.list(now)
    return {
      connections: this.#connections.size,
      idle: this.#connections.idle,
      active: this.#connections.active,
      queued: this.#scheduler.queue.size + this.#backoff.size,
      limit: this.#scheduler.limit,
      learned: this.#scheduler.learned,
      requests: this.#requests,
      failed: this.#failed,
      retries: this.#retries,
      ...(afterWork.length > 0 && { afterWork }),
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
    const { queue } = this.#scheduler
    for (let next = queue.shift(); next !== undefined; next = queue.shift())
      this.#failExchange(next, reason)
    this.#queries.destroy(reason)
    this.#connections.destroy(reason)
    return this.close()
  }

  // ---- requests

  get #connections(): Connections<Connection> {
    return this.#scheduler.connections
  }

  #start(exchange: Exchange, now: number = performance.now()): void {
    if (!this.#scheduler.start(exchange, now)) this.#enqueue(exchange, now)
  }

  #schedulerHost(): SchedulerHost<Connection, Exchange> {
    const pool = this
    const multiplexing = this.#multiplexing
    return {
      get shares() {
        return multiplexing.capacity > 1
      },
      get maxConnections() {
        return multiplexing.maxConnections
      },
      get full() {
        return multiplexing.limited && pool.#connections.active >= multiplexing.maxRequests
      },
      get closing() {
        return pool.#closing
      },
      create: (now) =>
        new Connection(pool.#endpoint, pool.#settings, pool, multiplexing.capacity, now),
      open: (connection, exchange) => pool.#open(connection, exchange),
      run: (connection, exchange, now) => {
        connection.run(exchange, pool.#keepOpen(connection), now)
      },
      onQueueTimeout: (exchange) => pool.#onQueueTimeout(exchange),
      onLimitCut: () => pool.#onLimitCut(),
    }
  }

  #open(connection: Connection, exchange: Exchange): void {
    connection.run(exchange, this.#keepOpen(connection), connection.createdAt)
    if (this.#settings.multiplex === 'auto')
      void this.#multiplexing.query(() => this.getValues()).then(() => this.#setCapacity())
  }

  #setCapacity(): void {
    this.#connections.capacity = this.#multiplexing.capacity
    this.#scheduler.serveQueue()
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
    const { queue } = this.#scheduler
    if (queue.size >= this.#settings.maxQueue) {
      const error = queueFullError(this.address, queue.size)
      process.nextTick(() => this.#failExchange(exchange, error))
      return
    }
    exchange.holder = this
    this.#scheduler.enqueue(exchange, now)
  }

  #onQueueTimeout(exchange: Exchange): void {
    const { size } = this.#connections
    this.#failExchange(exchange, queueTimeoutError(this.address, this.#settings.queueTimeout, size))
  }

  drop(exchange: Exchange): void {
    this.#failed++
    this.#scheduler.queue.remove(exchange)
    this.#backoff.remove(exchange)
    this.#checkDrained()
  }

  resume(): void {}

  #failExchange(exchange: Exchange, error: FastCGIError): void {
    this.#failed++
    exchange.fail(error)
    this.#checkDrained()
  }

  #onLimitCut(): void {
    const { served } = this.#scheduler.learned
    const message = `${served} connections are served at the same time; others wait in the queue here`
    this.#events.add({
      kind: 'limit-cut',
      member: this.address.name,
      message,
      code: 'FCGI_OVERLOADED',
    })
  }

  #closedError(cause?: Error): ClosedError {
    return new ClosedError(`the pool of ${this.address.name} is closed`, { cause })
  }

  // ---- events of connections

  onAnswer(connection: Connection, elapsed: number): void {
    this.#scheduler.onAnswer(connection, elapsed, connection.readAt)
  }

  onIdle(connection: Connection): void {
    this.#scheduler.onIdle(connection, connection.readAt)
  }

  onRoom(connection: Connection): void {
    if (this.#closing && connection.active === 0) connection.destroy()
    else this.#scheduler.serveQueue()
  }

  onDropped(): void {
    this.#failed++
  }

  onClosed(connection: Connection): void {
    this.#scheduler.onClosed(connection)
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
    if (!this.#closing && this.#backoff.take(exchange, error)) {
      exchange.holder = this
      this.#scheduler.onBacklogFull(performance.now())
    } else if (
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

  #checkDrained(): void {
    const waiting = this.#scheduler.queue.size + this.#backoff.size
    const left = this.#connections.size + waiting + this.#queries.size
    if (!this.#closing || left > 0) return
    this.#scheduler.stop()
    // Runs after the onEnd() calls that are pending in the check phase.
    for (const resolve of this.#onDrained.splice(0)) runInCheckPhase({ onCheckPhase: resolve })
  }
}
