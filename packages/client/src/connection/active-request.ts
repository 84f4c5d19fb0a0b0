// A request on a connection: passes records to its exchange, handles pauses of its reader, and runs its timeouts.
import type { Socket } from 'node:net'
import { type FastCGIError, ProtocolError, RecordType } from '@fastcgi/protocol'
import type { RequestBodyError } from '../errors.ts'
import type { Exchange, ExchangeHolder, Source } from '../exchange/exchange.ts'
import { asFastCGIError } from '../exchange/handler-errors.ts'
import type { Timeouts } from '../options.ts'
import { Deadline } from './deadline.ts'
import { RequestWriter, type WriterEvents } from './request-writer.ts'
import type { WriteQueue } from './write-queue.ts'

/** How long to wait for a response after writing has failed, in milliseconds. */
const ANSWER_TIMEOUT = 1000

/**
 * Milliseconds that php-fpm at `pm.max_requests` may need between END_REQUEST and the close of a kept connection. It reads
 * and discards what arrives in that time.
 */
const STALE_WINDOW = 25

/** Milliseconds that the event loop is assumed to be blocked at the most. */
const MAX_BLOCKED_TIME = 250

const { nodeTiming } = performance

/** What a request is waiting for: the event of a timeout, or (`answer`) a response after writing has failed. */
export type Phase = Exclude<keyof Timeouts, 'reader'> | 'answer'

/** The connection of an active request: the state that a request needs of it, and the events that it reports. */
export interface RequestOwner extends Source {
  readonly closed: boolean
  readonly connected: boolean
  /** Whether writing to the socket has failed. */
  readonly writeFailed: boolean
  /** Whether reading is suspended because the reader of a response has paused. */
  readonly paused: boolean
  /** How many bytes of a response are still read after its reader has paused. */
  readonly pausedSize: number
  /** The first part of the response arrived. */
  onAnswer(request: ActiveRequest): void
  /** The reader has paused and `pausedSize` is used up: reading must be suspended. */
  onBlocked(request: ActiveRequest): void
  /** The reader of a blocked request has resumed. */
  onUnblocked(): void
  /** The request failed; other requests on the connection may continue. */
  onFailed(request: ActiveRequest, error: FastCGIError): void
  /** The caller aborted the request. */
  onDropped(request: ActiveRequest): void
  /** A timeout of `length` milliseconds expired. */
  onTimeout(request: ActiveRequest, phase: Phase, length: number): void
}

/**
 * A request id of a connection, with the request that is currently active under it. The object is reused for later
 * requests. An id is free again only after END_REQUEST (FastCGI 1.0 §3.3); an aborted request occupies it until then.
 */
export class ActiveRequest implements ExchangeHolder, WriterEvents {
  readonly id: number
  /** The exchange; undefined when the id is free or the request was abandoned. */
  exchange: Exchange | undefined
  /** Whether ABORT_REQUEST was sent and END_REQUEST has not arrived. */
  abandoned = false
  /** performance.now() when sending began; 0 before that. */
  sentAt = 0
  /** Idle time of the event loop when it was sent, where the connection is a reused one. */
  #idleTimeAtSend = 0
  /** Whether any part of the response arrived. */
  answered = false
  /** Whether the current read contained a record for it. */
  touched = false
  /** The next request in the list of touched requests; see {@link RequestTable}. */
  nextTouched: ActiveRequest | undefined
  /** Content of END_REQUEST, until the end of the read in which it arrived. */
  ended: { appStatus: number; protocolStatus: number } | undefined

  readonly #owner: RequestOwner
  readonly #writer: RequestWriter
  readonly #deadline: Deadline<Phase>
  #paused = false
  #pausedSize = 0
  #blocks = false

  constructor(id: number, owner: RequestOwner, socket: Socket, writeQueue: WriteQueue) {
    this.id = id
    this.#owner = owner
    this.#writer = new RequestWriter(id, socket, writeQueue, this)
    this.#deadline = new Deadline(this.#onTimeout)
  }

  /** Whether the id can be used for a new request. */
  get free(): boolean {
    return this.exchange === undefined && !this.abandoned
  }

  /** Whether the whole request has been sent. */
  get finished(): boolean {
    return this.#writer.finished
  }

  /** Whether no byte of the request has been written to the socket. */
  get neverWritten(): boolean {
    return this.sentAt === 0 || this.#writer.queuedBytes > 0
  }

  // ---- called by the connection

  /** Assigns a new request to the id. */
  take(exchange: Exchange): void {
    this.exchange = exchange
    this.sentAt = 0
    this.answered = false
    this.ended = undefined
    exchange.holder = this
    exchange.sent = exchange.refused = exchange.stale = false
    exchange.attempts++
    this.#paused = false
    this.#pausedSize = 0
  }

  /** Starts to send the request. @param keep whether the application should leave the connection open (KEEP_CONN). */
  send(exchange: Exchange, keep: boolean, now: number): void {
    this.sentAt = now
    if (exchange.reused) this.#idleTimeAtSend = nodeTiming.idleTime
    this.#writer.start(exchange, keep, now)
  }

  /**
   * Whether the request was sent so recently that a connection which is lost now must have been closed before the request
   * arrived. The loss is noticed late when the event loop was blocked: then the loop has not been idle since.
   * @param connectTime milliseconds the connection took to open, which is one round trip.
   */
  justSent(connectTime: number): boolean {
    const window = STALE_WINDOW + 2 * connectTime
    const elapsed = performance.now() - this.sentAt
    if (this.sentAt === 0 || elapsed < window) return true
    return elapsed < MAX_BLOCKED_TIME && nodeTiming.idleTime - this.#idleTimeAtSend < window
  }

  /** Called when the write buffer of the socket has been drained. */
  drained(): void {
    this.#writer.drained()
  }

  /** Stops sending, because writing has failed. A response may still arrive. */
  stopWriting(): void {
    this.#writer.stop()
  }

  /** Detaches the exchange from the id. */
  release(): void {
    if (this.exchange !== undefined) this.exchange.holder = undefined
    this.exchange = undefined
    this.ended = undefined
    this.#writer.stop()
    this.#unblock()
  }

  /** Reserves the id after ABORT_REQUEST, and reports when END_REQUEST does not arrive within `timeout` milliseconds. */
  abandon(timeout: number): void {
    this.abandoned = true
    this.#deadline.wait('abort', timeout)
  }

  /** Stops the timeouts, because the connection is closed. */
  close(): void {
    this.#deadline.clear()
  }

  /** Restarts the timeout of the current phase after any activity. */
  moved(now?: number): void {
    const { exchange } = this
    if (exchange === undefined) return
    const phase = this.#phase()
    const length = phase === 'answer' ? ANSWER_TIMEOUT : exchange.timeouts[phase]
    this.#deadline.wait(phase, length, now)
  }

  // ---- records from the application

  output(type: RecordType, chunk: Buffer): void {
    const { exchange } = this
    if (exchange === undefined) return
    if (!this.answered) this.#answer()
    try {
      if (type === RecordType.STDERR) exchange.stderr(chunk)
      else if (!exchange.done) {
        if (!exchange.stdout(chunk, this.#owner)) this.#paused = true
        if (this.#paused && !this.#blocks) this.#readOn(chunk.length)
      }
    } catch (error) {
      this.#owner.onFailed(this, asFastCGIError(error))
    }
  }

  /** Processes the end record of STDOUT or STDERR. */
  outputEnd(type: RecordType): void {
    if (this.exchange === undefined) return
    if (!this.answered) this.#answer()
    if (type === RecordType.STDOUT) this.exchange.stdoutEnd()
  }

  /** Processes END_REQUEST (FastCGI 1.0 §5.5). @throws ProtocolError when it is not 8 bytes long. */
  end(content: Buffer): void {
    if (content.length !== 8)
      throw new ProtocolError(`END_REQUEST has ${content.length} bytes of content, expected 8`)
    if (this.exchange !== undefined && !this.answered) this.#answer()
    this.ended = { appStatus: content.readUInt32BE(0), protocolStatus: content.readUInt8(4) }
  }

  #answer(): void {
    this.answered = true
    this.#owner.onAnswer(this)
  }

  /** The reader has asked for a pause. */
  pause(): void {
    this.#paused = true
    if (!this.#blocks) this.#readOn(0)
  }

  #readOn(length: number): void {
    if (this.exchange === undefined || !this.#paused) return
    this.#pausedSize += length
    if (this.#pausedSize < this.#owner.pausedSize) return
    this.#blocks = true
    this.#owner.onBlocked(this)
  }

  #unblock(): void {
    this.#pausedSize = 0
    if (!this.#blocks) return
    this.#blocks = false
    this.#owner.onUnblocked()
  }

  // ---- called by the exchange

  drop(): void {
    this.#owner.onDropped(this)
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#unblock()
    this.moved()
  }

  // ---- events of the writer

  onWritten(now?: number): void {
    this.moved(now)
  }

  onFlushed(): void {
    if (this.#deadline.reason === 'write') this.moved()
  }

  onBodyFailed(error: RequestBodyError): void {
    this.#owner.onFailed(this, error)
  }

  // ---- timeouts

  #phase(): Phase {
    const owner = this.#owner
    if (!owner.connected) return 'connect'
    if (this.#blocks) return 'multiplexReader'
    if (owner.writeFailed) return 'answer'
    if (this.#writer.waitsForApplication) return 'write'
    if (this.#writer.waitsForBody) return 'body'
    return this.exchange?.headDone ? 'idle' : 'head'
  }

  readonly #onTimeout = (waitedFor: Phase, length: number): void => {
    if (this.abandoned) {
      this.#owner.onTimeout(this, 'abort', length)
      return
    }
    if (this.exchange === undefined) return
    const phase = this.#phase()
    // No timeout but that of the reader runs while a reader has paused: the application cannot make progress then. And
    // when the phase has changed without a call of moved(), as at the end of writing, the new phase begins now.
    if (phase !== 'multiplexReader' && (this.#paused || this.#owner.paused)) return
    if (phase !== waitedFor) this.moved()
    else this.#owner.onTimeout(this, phase, length)
  }
}
