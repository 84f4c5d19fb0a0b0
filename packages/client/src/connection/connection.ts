import { encodeAbortRequest, type FastCGIError, RecordReader } from '@fastcgi/protocol'
import type { Address } from '../address.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { asFastCGIError } from '../exchange/handler-errors.ts'
import type { PoolSettings } from '../options.ts'
import type { ApplicationSocket, SocketEvents } from '../socket/application-socket.ts'
import type { Endpoint } from '../socket/endpoint.ts'
import { isRefusedClient } from '../socket/tls-errors.ts'
import type { ActiveRequest, Phase, RequestOwner } from './active-request.ts'
import { connectError, errorOfApplication, lostError, timeoutError } from './connection-errors.ts'
import { HalfClose } from './half-close.ts'
import { PooledState } from './pooled-state.ts'
import { RequestTable } from './request-table.ts'

/** Receives the events of a connection; implemented by the pool. */
export interface ConnectionOwner {
  /** The first bytes of a response arrived, `elapsed` milliseconds after sending began. */
  onAnswer(connection: Connection, elapsed: number): void
  /** A response is complete, no other request is active, and the connection can be used again. */
  onIdle(connection: Connection): void
  /** A request has ended while others are active or their ids are still occupied. */
  onRoom(connection: Connection): void
  /** A request failed. */
  onFailure(connection: Connection, exchange: Exchange, error: FastCGIError): void
  /** A request was aborted by its caller. */
  onDropped(connection: Connection): void
  /** The connection was closed. Called once, synchronously, before `onFailure` of its active requests. */
  onClosed(connection: Connection): void
}

/**
 * One socket to an application, with up to `capacity` active requests.
 *
 * Invariant: it is used again only when END_REQUEST was the last thing read and the whole request had been sent before,
 * or bytes of one request could be taken for those of the next. Otherwise it is closed with its last active request.
 */
export class Connection extends PooledState implements SocketEvents, RequestOwner {
  /** Whether the socket is established. */
  connected = false
  /** Whether the application reads nothing any more. */
  writeFailed = false

  readonly #endpoint: Endpoint
  readonly #settings: PoolSettings
  readonly #owner: ConnectionOwner
  readonly #socket: ApplicationSocket
  readonly #requests: RequestTable
  readonly #reader: RecordReader
  #blocked = 0
  #connectTime = 0
  #keep = false
  /** Whether it accepts no new requests and is closed with the last active one. */
  #retired = false
  #socketError: Error | undefined
  #halfClose: HalfClose | undefined

  constructor(
    endpoint: Endpoint,
    settings: PoolSettings,
    owner: ConnectionOwner,
    capacity: number,
    now: number,
  ) {
    super(now, capacity)
    this.#endpoint = endpoint
    this.#settings = settings
    this.#owner = owner
    this.#socket = endpoint.open(this)
    this.#requests = new RequestTable(this, this.#socket)
    this.#reader = new RecordReader(this.#requests)
    this.#socket.on('drain', () => this.#requests.drained())
    this.#socket.on('error', (error) => {
      this.#socketError ??= error
    })
    this.#socket.on('end', this.#onLost)
    this.#socket.on('close', this.#onLost)
  }

  /** Number of active requests. */
  get active(): number {
    return this.#requests.active
  }

  get #address(): Address {
    return this.#endpoint.address
  }

  /** Whether it accepts a further request besides its active ones. */
  get hasRoom(): boolean {
    return (
      this.#requests.active > 0 &&
      this.#requests.size < this.capacity &&
      this.#blocked === 0 &&
      !this.#retired &&
      !this.closed
    )
  }

  /**
   * Sends a request, as soon as the connection is established. The first follows the constructor at once: applications
   * close silent connections. @param keep whether KEEP_CONN is set.
   */
  run(exchange: Exchange, keep: boolean, now: number): void {
    const request = this.#requests.take(exchange)
    this.noteRequest(exchange)
    this.#keep = keep
    // Without KEEP_CONN the application closes the connection.
    if (!keep) this.#retired = true
    if (this.connected) this.#send(request, exchange, true, now)
    else request.moved()
  }

  /** Closes the socket; active requests fail with `error`. */
  destroy(error?: FastCGIError): void {
    if (error !== undefined) this.#fail(() => error)
    else this.#close()
  }

  /** Half-closes the connection after the last response, and closes it at the latest after `timeout` milliseconds. */
  finish(timeout: number): void {
    this.#retired = true
    this.#halfClose = new HalfClose(this.#socket, this.readAt, timeout, () => this.#close())
  }

  #send(request: ActiveRequest, exchange: Exchange, reused: boolean, now: number): void {
    const attempt = {
      address: this.#address.name,
      reused,
      queueTime: Math.max(0, (reused ? now : this.createdAt) - exchange.startedAt),
      connectTime: reused ? 0 : this.#connectTime,
    }
    exchange.reused = reused
    exchange.started(attempt, now)
    // onStart() of the handler may have aborted it.
    if (request.exchange !== exchange || this.closed) return
    request.send(exchange, this.#keep, now)
  }

  // ---- data from the application

  onBytes(chunk: Buffer): void {
    if (this.#requests.size === 0) {
      // Data without a request must not become part of the next response.
      this.#close()
      return
    }
    this.readAt = performance.now()
    let failure: FastCGIError | undefined
    try {
      this.#reader.push(chunk)
    } catch (error) {
      failure = errorOfApplication(this.#address, asFastCGIError(error))
    }
    this.#settle(failure === undefined)
    if (failure !== undefined) this.#fail(() => failure)
  }

  onAnswer(request: ActiveRequest): void {
    this.#owner.onAnswer(this, this.readAt - request.sentAt)
  }

  /** Processes all requests that the last read contained records for. */
  #settle(sound: boolean): void {
    const requests = this.#requests
    // The beginning of a record that can belong to no request, because all have ended.
    const surplus = !this.#reader.atBoundary && requests.allEnded
    if (!sound || surplus) this.#retired = true
    for (let request = requests.nextTouched(); request; request = requests.nextTouched()) {
      if (request.ended !== undefined) this.#complete(request)
      else if (request.exchange !== undefined && sound) {
        if (!request.exchange.flush()) request.pause()
        request.moved(this.readAt)
      }
    }
  }

  // ---- the end of requests

  #complete(request: ActiveRequest): void {
    const { exchange, ended } = request
    if (ended === undefined) return
    const error = exchange?.endError(ended.protocolStatus)
    if (exchange === undefined) {
      request.abandoned = false
      this.#requests.abandoned--
    } else {
      const clean = request.finished && !this.writeFailed
      // After CANT_MPX_CONN some applications misread the following records.
      if (!clean || exchange.refused || (error !== undefined && this.#requests.active === 1))
        this.#retired = true
      this.#requests.active--
    }
    request.release()
    this.#idFreed()
    if (exchange === undefined) return
    if (error === undefined) exchange.end(ended.appStatus)
    else this.#reportFailure(exchange, errorOfApplication(this.#address, error))
  }

  /** Called when an id has become free. */
  #idFreed(): void {
    const { active, size } = this.#requests
    if (size === 0) this.#socket.releaseBuffer()
    if (this.#retired && active === 0) this.#close()
    else if (size > 0) this.#owner.onRoom(this)
    else if (!this.closed) this.#owner.onIdle(this)
  }

  /** Aborts a request: closes the connection (FastCGI 1.0 §5.4), or sends ABORT_REQUEST if others are active on it. */
  #abandon(request: ActiveRequest): void {
    const over = request.neverWritten || request.ended !== undefined
    const timeout = request.exchange?.timeouts.abort ?? 0
    request.release()
    this.#requests.active--
    if (this.#requests.active === 0) this.#close()
    else if (over) this.#idFreed()
    else {
      this.#requests.abandoned++
      request.abandon(timeout)
      if (!this.writeFailed) this.#socket.write(encodeAbortRequest(request.id))
      this.#owner.onRoom(this)
    }
  }

  onDropped(request: ActiveRequest): void {
    this.#abandon(request)
    this.#owner.onDropped(this)
  }

  onFailed(request: ActiveRequest, error: FastCGIError): void {
    const { exchange } = request
    if (exchange === undefined) return
    this.#abandon(request)
    this.#reportFailure(exchange, errorOfApplication(this.#address, error))
  }

  /** Closes the connection and fails all active requests. */
  #fail(reason: (request: ActiveRequest, exchange: Exchange) => FastCGIError): void {
    const failed: Array<[Exchange, FastCGIError]> = []
    for (const request of this.#requests) {
      if (request.exchange !== undefined)
        failed.push([request.exchange, reason(request, request.exchange)])
      request.release()
    }
    this.#requests.active = 0
    this.#close()
    for (const [exchange, error] of failed) this.#reportFailure(exchange, error)
  }

  #reportFailure(exchange: Exchange, error: FastCGIError): void {
    if (!exchange.done) this.#owner.onFailure(this, exchange, error)
  }

  #close(): void {
    if (this.closed) return
    this.closedAt = performance.now()
    this.#halfClose?.stop()
    for (const request of this.#requests) request.close()
    this.#socket.destroy()
    this.#owner.onClosed(this)
  }

  // ---- paused readers

  get pausedSize(): number {
    return this.capacity > 1 || this.#requests.active > 1 ? this.#settings.maxPausedSize : 0
  }

  get paused(): boolean {
    return this.#blocked > 0
  }

  onBlocked(request: ActiveRequest): void {
    this.#blocked++
    if (this.#blocked === 1 && !this.closed) this.#socket.pause()
    if (this.#requests.active > 1) request.moved()
  }

  onUnblocked(): void {
    this.#blocked--
    if (this.#blocked > 0 || this.closed) return
    this.#socket.resume()
    for (const request of this.#requests) request.moved()
  }

  // ---- the socket

  lend(): (() => void) | undefined {
    return this.#socket.lend()
  }

  onOpen(): void {
    const now = performance.now()
    this.connected = true
    this.#connectTime = now - this.createdAt
    for (const request of [...this.#requests])
      if (request.exchange !== undefined && request.sentAt === 0)
        this.#send(request, request.exchange, false, now)
  }

  onWriteFailed(error: Error): void {
    this.#socketError = error
    this.writeFailed = this.#retired = true
    for (const request of this.#requests) {
      const { exchange } = request
      request.stopWriting()
      // A request that the kernel did not accept cannot be answered.
      if (exchange?.sent === false) this.onFailed(request, this.#lossError(request, exchange))
    }
    for (const request of this.#requests) {
      request.resume()
      request.moved()
    }
  }

  readonly #onLost = (): void => {
    if (!this.closed) this.afterWork = this.#halfClose?.elapsed()
    this.#fail((request, exchange) => this.#lossError(request, exchange))
  }

  #lossError(request: ActiveRequest, exchange: Exchange): FastCGIError {
    if (!this.connected || isRefusedClient(this.#socketError))
      return connectError(this.#address, this.#socketError)
    // A partial record also shows that the application had begun to answer.
    const answered = request.answered || !this.#reader.atBoundary
    if (answered) exchange.responseStarted = true
    // On a shared connection another request may have caused the loss.
    const isStale = !exchange.sent || this.capacity > 1 || request.justSent(this.#connectTime)
    exchange.stale = exchange.reused && isStale
    return lostError(this.#address, exchange, answered, this.#socketError)
  }

  // ---- timeouts

  onTimeout(request: ActiveRequest, phase: Phase, length: number): void {
    const { exchange } = request
    if (phase === 'abort') {
      // The id stays occupied, and records that still arrive for it are dropped.
      this.#retired = true
      if (this.#requests.active === 0) this.#close()
    } else if (exchange === undefined) return
    else if (phase === 'connect') this.#fail(() => timeoutError(this.#address, 'connect', length))
    else if (phase === 'answer') this.onFailed(request, this.#lossError(request, exchange))
    // A paused reader that is alone on the connection blocks no other request.
    else if (phase !== 'multiplexReader' || this.#requests.active > 1)
      this.onFailed(request, timeoutError(this.#address, phase, length))
  }
}
