import type { FastCGIError } from '@fastcgi/protocol'
import { type Address, parseAddress } from './address.ts'
import { BaseDispatcher } from './base-dispatcher.ts'
import { Connection, type ConnectionOwner } from './connection.ts'
import type {
  DispatchControl,
  DispatcherStats,
  DispatchHandler,
  FastCGIRequest,
} from './dispatcher.ts'
import { AbortedError, ClosedError, OverloadedError } from './errors.ts'
import { asFastCGIError, Exchange, type ExchangeHolder } from './exchange.ts'
import { type PoolOptions, type PoolSettings, poolSettings } from './options.ts'
import { RequestQueue } from './request-queue.ts'
import { mayRetryHere } from './retry.ts'
import { AUTO_MAXIMUM, ServedLimit } from './served-limit.ts'

/** Milliseconds before another try where a unix socket's backlog was full. */
const BACKLOG_PAUSES: readonly number[] = [5, 20, 80, 200]

const NO_CONTROL: DispatchControl = { resume() {}, abort() {} }

/**
 * Connections to one address: made on demand, kept for a short time, shared out in order of arrival.
 * See {@link PoolOptions.reuse} and {@link PoolOptions.maxConnections} for what makes it fair to php-fpm.
 */
export class Pool extends BaseDispatcher implements ConnectionOwner, ExchangeHolder {
  /** Where it connects to. */
  readonly address: Address

  readonly #settings: PoolSettings
  readonly #all = new Set<Connection>()
  readonly #idle: Connection[] = []
  readonly #queue: RequestQueue
  readonly #limit: ServedLimit<Connection>
  readonly #resting = new Map<Exchange, NodeJS.Timeout>()
  #probeTimer: NodeJS.Timeout | undefined
  #idleTimer: NodeJS.Timeout | undefined
  #yieldTimer: NodeJS.Timeout | undefined
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
    this.#queue = new RequestQueue(settings.queueTimeout, (exchange) => this.#expired(exchange))
    this.#limit = new ServedLimit({
      // Without reuse nobody holds a worker back, and there is nothing to learn.
      most:
        settings.maxConnections === 'auto' && !settings.reuse
          ? AUTO_MAXIMUM
          : settings.maxConnections,
      least: settings.minConnections,
      fairness: settings.fairness,
    })
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
    } else this.#start(exchange)
    return exchange
  }

  override get stats(): DispatcherStats {
    return {
      connections: this.#all.size,
      idle: this.#idle.length,
      active: this.#all.size - this.#idle.length,
      queued: this.#queue.size + this.#resting.size,
      limit: this.#limit.value,
      requests: this.#requests,
      failed: this.#failed,
      retries: this.#retries,
    }
  }

  override close(): Promise<void> {
    this.#closing = true
    for (const connection of [...this.#idle]) connection.destroy()
    return new Promise((resolve) => {
      this.#onDrained.push(resolve)
      this.#checkDrained()
    })
  }

  override destroy(error?: Error): Promise<void> {
    this.#closing = true
    const reason = this.#closedError(error)
    for (const [exchange, timer] of this.#resting) {
      clearTimeout(timer)
      this.#failExchange(exchange, reason)
    }
    this.#resting.clear()
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
      this.#failExchange(next, reason)
    for (const connection of [...this.#all]) connection.destroy(reason)
    return this.close()
  }

  // ---- requests

  #start(exchange: Exchange): void {
    const now = performance.now()
    // Its worker is the one that takes the new connection.
    if (exchange.needsNew) this.#idle[0]?.destroy()
    const connection = exchange.needsNew ? undefined : this.#takeIdle(now)
    if (connection !== undefined) connection.run(exchange, this.#keeps(connection))
    else if (this.#all.size < this.#limit.value) this.#open(exchange, now)
    else this.#enqueue(exchange, now)
  }

  #takeIdle(now: number): Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop()
      if (connection === undefined) return undefined
      if (!connection.closed && !this.#isOld(connection, now)) return connection
      connection.destroy()
    }
  }

  #open(exchange: Exchange, now: number): Connection {
    const connection = new Connection(this.address, this.#settings, this, now)
    this.#all.add(connection)
    this.#limit.opened(connection, now)
    connection.open(exchange, this.#keeps(connection))
    return connection
  }

  /** Whether the next request on a connection leaves it open; the last of `maxRequests` tells the application so. */
  #keeps(connection: Connection): boolean {
    const { reuse, maxRequests } = this.#settings
    return (
      reuse !== false &&
      !this.#closing &&
      (maxRequests === 0 || connection.requests + 1 < maxRequests)
    )
  }

  #enqueue(exchange: Exchange, now: number): void {
    if (this.#queue.size >= this.#settings.maxQueue) {
      const error = new OverloadedError(
        `${this.#queue.size} requests are waiting for ${this.address.name} already (option maxQueue)`,
      )
      process.nextTick(() => this.#failExchange(exchange, error))
      return
    }
    exchange.holder = this
    this.#queue.push(exchange, now)
    this.#scheduleProbe(now)
  }

  /** Puts waiting requests onto whatever room there is. */
  #serveQueue(): void {
    while (this.#queue.size > 0 && this.#all.size < this.#limit.value) {
      const exchange = this.#queue.shift()
      if (exchange !== undefined) this.#open(exchange, performance.now())
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
    const exchange = this.#limit.mayProbe(now) ? this.#queue.shift() : undefined
    if (exchange !== undefined) this.#limit.probing(this.#open(exchange, now), now)
    if (this.#queue.size > 0) this.#scheduleProbe(now)
  }

  #expired(exchange: Exchange): void {
    this.#failExchange(
      exchange,
      new OverloadedError(
        `no connection to ${this.address.name} was free for ${this.#settings.queueTimeout} ms (option queueTimeout); ${this.#all.size} are in use (option maxConnections)`,
      ),
    )
  }

  drop(exchange: Exchange): void {
    this.#failed++
    this.#queue.remove(exchange)
    clearTimeout(this.#resting.get(exchange))
    this.#resting.delete(exchange)
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
    const now = performance.now()
    const needsNew = this.#queue.first?.needsNew === true
    if (this.#closing || needsNew || this.#isOld(connection, now) || this.#limit.mustYield(now)) {
      connection.destroy()
      return
    }
    const next = this.#queue.shift()
    if (next !== undefined) connection.run(next, this.#keeps(connection))
    else {
      connection.idleSince = now
      this.#idle.push(connection)
      this.#idleTimer ??= setTimeout(this.#sweepIdle, this.#sweepPause())
      this.#scheduleYield(now)
    }
  }

  onDropped(): void {
    this.#failed++
  }

  onClosed(connection: Connection): void {
    this.#all.delete(connection)
    this.#limit.closed(connection)
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
    this.#serveQueue()
    this.#checkDrained()
  }

  onFailure(connection: Connection, exchange: Exchange, error: FastCGIError): void {
    exchange.finishAttempt(error.code)
    // Of what a kept connection did not take, the application knows nothing: that was no attempt.
    if (connection.requests > 1 && !exchange.sent) exchange.attempts--
    const pause = BACKLOG_PAUSES[exchange.attempts - 1]
    if (isBacklogFull(error) && pause !== undefined && !this.#closing) {
      exchange.holder = this
      this.#resting.set(
        exchange,
        setTimeout(() => {
          this.#resting.delete(exchange)
          this.#start(exchange)
        }, pause),
      )
    } else if (
      exchange.attempts <= this.#settings.retries &&
      mayRetryHere(exchange, error, connection.requests > 1) &&
      !this.#closing
    ) {
      this.#retries++
      exchange.needsNew = true
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
    while (this.#idle.length > 0 && this.#limit.mustYield(now)) this.#idle.shift()?.destroy()
    if (this.#idle.length > 0) this.#scheduleYield(now)
  }

  #isOld(connection: Connection, now: number): boolean {
    const { maxAge } = this.#settings
    return maxAge !== 0 && now - connection.createdAt >= maxAge
  }

  #sweepPause(): number {
    const { idleTimeout, maxAge } = this.#settings
    const least = Math.min(idleTimeout || Infinity, maxAge || Infinity)
    return least === Infinity ? 60_000 : Math.max(10, Math.ceil(least / 2))
  }

  readonly #sweepIdle = (): void => {
    this.#idleTimer = undefined
    const now = performance.now()
    const { idleTimeout, softMaxConnections } = this.#settings
    for (const connection of [...this.#idle]) {
      const spare = this.#idle.length > softMaxConnections
      const rested = idleTimeout !== 0 && now - connection.idleSince >= idleTimeout
      if (this.#isOld(connection, now) || (spare && rested)) connection.destroy()
    }
    if (this.#idle.length > 0) this.#idleTimer = setTimeout(this.#sweepIdle, this.#sweepPause())
  }

  #checkDrained(): void {
    if (!this.#closing || this.#all.size + this.#queue.size + this.#resting.size > 0) return
    clearTimeout(this.#idleTimer)
    clearTimeout(this.#probeTimer)
    clearTimeout(this.#yieldTimer)
    for (const resolve of this.#onDrained.splice(0)) resolve()
  }
}

function isBacklogFull(error: FastCGIError): boolean {
  return error.code === 'FCGI_OVERLOADED' && (error.cause as { code?: unknown })?.code === 'EAGAIN'
}
