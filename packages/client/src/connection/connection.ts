import { encodeAbortRequest, type FastCGIError, RecordReader } from '@fastcgi/protocol'
import type { Address } from '../address.ts'
import { asFastCGIError, type Exchange } from '../exchange/exchange.ts'
import type { PoolSettings } from '../options.ts'
import type { ActiveRequest, Carrier, Phase } from './active-request.ts'
import { ApplicationSocket, type SocketEvents } from './application-socket.ts'
import { connectError, lostError, timeoutError } from './connection-errors.ts'
import { RequestTable } from './request-table.ts'

/** What a connection tells whoever owns it. */
export interface ConnectionOwner {
  /** The first bytes of a response came, so many milliseconds after its request was sent. */
  onAnswer(connection: Connection, elapsed: number): void
  /** A response is complete, no other request is active, and the connection can carry another one. */
  onIdle(connection: Connection): void
  /** A request has left, others are active. */
  onRoom(connection: Connection): void
  /** A request failed. */
  onFailure(connection: Connection, exchange: Exchange, error: FastCGIError): void
  /** A request was given up. */
  onDropped(connection: Connection): void
  /** The connection is closed and gone. Comes once, at once, before `onFailure` of what was on it. */
  onClosed(connection: Connection): void
}

/**
 * One socket to an application, carrying `capacity` requests at a time. When anything goes wrong that is not one
 * request's own affair, it is closed and never used again. It is clean only when END_REQUEST was the last thing read
 * and all of the request had been sent before; an unclean one takes nothing new and is closed with its last request.
 */
export class Connection implements SocketEvents, Carrier {
  readonly createdAt: number
  /** Most requests at a time; the owner's to set. */
  capacity: number
  /** Requests begun. */
  requests = 0
  /** When it was closed; 0 before that. */
  closedAt = 0
  /** When its owner put it aside; the owner's to keep. */
  idleSince = 0
  /** When something was read the last time, as of performance.now(). */
  readAt = 0

  readonly #address: Address
  readonly #settings: PoolSettings
  readonly #owner: ConnectionOwner
  readonly #socket: ApplicationSocket
  readonly #requests: RequestTable
  readonly #reader: RecordReader
  #blocked = 0
  #connectedAt = 0
  #keep = false
  /** Takes nothing new, and is closed with the last request on it. */
  #retired = false
  #writeFailed = false
  #socketError: Error | undefined

  constructor(
    address: Address,
    settings: PoolSettings,
    owner: ConnectionOwner,
    capacity: number,
    now: number,
  ) {
    this.#address = address
    this.#settings = settings
    this.#owner = owner
    this.capacity = capacity
    this.createdAt = now
    this.#socket = new ApplicationSocket(this)
    this.#requests = new RequestTable(this, this.#socket)
    this.#reader = new RecordReader(this.#requests)
    this.#socket.on('drain', () => this.#requests.drained())
    this.#socket.on('error', (error) => {
      this.#socketError ??= error
    })
    this.#socket.on('end', this.#lost)
    this.#socket.on('close', this.#lost)
  }

  /** Whether it is gone, so that nothing can be sent on it. */
  get closed(): boolean {
    return this.closedAt !== 0
  }

  /** Requests on it. */
  get active(): number {
    return this.#requests.active
  }

  /** Whether it takes a request beside those that are on it. */
  get hasRoom(): boolean {
    return (
      this.#requests.active > 0 &&
      this.#requests.size < this.capacity &&
      this.#blocked === 0 &&
      !this.#retired &&
      !this.closed
    )
  }

  /** Connects and sends a first request: applications close connections that say nothing. */
  open(exchange: Exchange, keep: boolean): void {
    this.#socket.once('connect', this.#onConnect)
    this.run(exchange, keep, this.createdAt)
    this.#socket.open(this.#address, this.#settings.tcpKeepAlive)
  }

  /** Sends a further request, as soon as the connection stands. */
  run(exchange: Exchange, keep: boolean, now: number): void {
    const request = this.#requests.take(exchange)
    this.requests++
    this.#keep = keep
    // It will be closed by the application.
    if (!keep) this.#retired = true
    if (this.connected) this.#send(request, exchange, true, now)
    else request.moved()
  }

  /** Closes the socket; what is active on it fails with `error`. */
  destroy(error?: FastCGIError): void {
    if (error !== undefined) this.#fail(() => error)
    else this.#close()
  }

  #send(request: ActiveRequest, exchange: Exchange, reused: boolean, now: number): void {
    const attempt = {
      address: this.#address.name,
      reused,
      queueTime: Math.max(0, (reused ? now : this.createdAt) - exchange.startedAt),
      connectTime: reused ? 0 : this.#connectedAt - this.createdAt,
    }
    exchange.reused = reused
    exchange.started(attempt, now)
    // It may have been given up just there.
    if (request.exchange !== exchange || this.closed) return
    request.send(exchange, this.#keep, now)
  }

  // ---- what the application sends

  onBytes(chunk: Buffer): void {
    if (this.#requests.size === 0) {
      // Nobody asked: whatever it is, it must not become part of the next response.
      this.#close()
      return
    }
    this.readAt = performance.now()
    let failure: FastCGIError | undefined
    try {
      this.#reader.push(chunk)
    } catch (error) {
      failure = asFastCGIError(error)
    }
    this.#settle(failure === undefined)
    if (failure !== undefined) this.#fail(() => failure)
  }

  onAnswer(request: ActiveRequest): void {
    this.#owner.onAnswer(this, this.readAt - request.sentAt)
  }

  /** Deals with what one read brought. */
  #settle(sound: boolean): void {
    const requests = this.#requests
    // Bytes of a record that belongs to nobody.
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

  // ---- ends

  #complete(request: ActiveRequest): void {
    const { exchange, ended } = request
    if (ended === undefined) return
    const error = exchange?.judgeEnd(ended.protocolStatus)
    if (exchange === undefined) {
      request.abandoned = false
      this.#requests.abandoned--
    } else {
      const clean = request.finished && !this.#writeFailed
      // After CANT_MPX_CONN some applications lose track of what else comes.
      if (!clean || exchange.refused || (error !== undefined && this.#requests.active === 1))
        this.#retired = true
      this.#requests.active--
    }
    request.release()
    this.#left()
    if (exchange === undefined) return
    if (error === undefined) exchange.end(ended.appStatus)
    else this.#tellFailure(exchange, error)
  }

  /** An id has become free. */
  #left(): void {
    const { active, size } = this.#requests
    if (size === 0) this.#socket.rest()
    if (this.#retired && active === 0) this.#close()
    else if (size > 0) this.#owner.onRoom(this)
    else if (!this.closed) this.#owner.onIdle(this)
  }

  /** A request goes, unanswered; with the last one the connection, for that is the surest abort (FastCGI 1.0 §5.4). */
  #abandon(request: ActiveRequest): void {
    const over = request.unwritten || request.ended !== undefined
    const patience = request.exchange?.timeouts.abort ?? 0
    request.release()
    this.#requests.active--
    if (this.#requests.active === 0) this.#close()
    else if (over) this.#left()
    else {
      this.#requests.abandoned++
      request.abandon(patience)
      if (!this.#writeFailed) this.#socket.write(encodeAbortRequest(request.id))
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
    this.#tellFailure(exchange, error)
  }

  /** Everything on it fails. */
  #fail(reason: (request: ActiveRequest, exchange: Exchange) => FastCGIError): void {
    const failed: Array<[Exchange, FastCGIError]> = []
    for (const request of this.#requests) {
      if (request.exchange !== undefined)
        failed.push([request.exchange, reason(request, request.exchange)])
      request.release()
    }
    this.#requests.active = 0
    this.#close()
    for (const [exchange, error] of failed) this.#tellFailure(exchange, error)
  }

  #tellFailure(exchange: Exchange, error: FastCGIError): void {
    if (!exchange.done) this.#owner.onFailure(this, exchange, error)
  }

  #close(): void {
    if (this.closed) return
    this.closedAt = performance.now()
    for (const request of this.#requests) request.close()
    this.#socket.destroy()
    this.#owner.onClosed(this)
  }

  // ---- readers that pause

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

  get connected(): boolean {
    return this.#connectedAt !== 0
  }

  get writeFailed(): boolean {
    return this.#writeFailed
  }

  readonly #onConnect = (): void => {
    this.#connectedAt = performance.now()
    for (const request of [...this.#requests])
      if (request.exchange !== undefined && request.sentAt === 0)
        this.#send(request, request.exchange, false, this.#connectedAt)
  }

  onWriteFailed(error: Error): void {
    this.#socketError = error
    this.#writeFailed = this.#retired = true
    for (const request of this.#requests) {
      const { exchange } = request
      request.stopWriting()
      // To what never got there, there is no answer to wait for.
      if (exchange?.sent === false) this.onFailed(request, this.#lossOf(request, exchange))
    }
    for (const request of this.#requests) {
      request.resume()
      request.moved()
    }
  }

  readonly #lost = (): void => {
    this.#fail((request, exchange) => this.#lossOf(request, exchange))
  }

  #lossOf(request: ActiveRequest, exchange: Exchange): FastCGIError {
    if (!this.connected) return connectError(this.#address, this.#socketError)
    // A part of a record is a part of a response, too.
    const answered = request.answered || !this.#reader.atBoundary
    if (answered) exchange.arrived = true
    return lostError(this.#address, exchange, answered, this.#socketError)
  }

  // ---- time

  onTimeout(request: ActiveRequest, phase: Phase, length: number): void {
    const { exchange } = request
    if (phase === 'abort') {
      // The id stays taken. What still comes for it is dropped.
      this.#retired = true
      if (this.#requests.active === 0) this.#close()
    } else if (exchange === undefined) return
    else if (phase === 'connect') this.#fail(() => timeoutError(this.#address, 'connect', length))
    else if (phase === 'answer') this.onFailed(request, this.#lossOf(request, exchange))
    // Alone, it may take its time.
    else if (phase !== 'reader' || this.#requests.active > 1)
      this.onFailed(request, timeoutError(this.#address, phase, length))
  }
}
