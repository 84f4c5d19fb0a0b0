import type { Socket } from 'node:net'
import { type FastCGIError, ProtocolError, RecordType } from '@fastcgi/protocol'
import type { RequestBodyError } from '../errors.ts'
import {
  asFastCGIError,
  type Exchange,
  type ExchangeHolder,
  type Source,
} from '../exchange/exchange.ts'
import type { Timeouts } from '../options.ts'
import { Deadline } from './deadline.ts'
import { RequestWriter, type WriterEvents } from './request-writer.ts'
import type { WriteQueue } from './write-queue.ts'

/** How long an answer is waited for after the application stopped reading, in milliseconds. */
const LAST_WORDS = 1000

/** What can be waited for: one of the named timeouts, or an answer after writing has failed. */
export type Phase = keyof Timeouts | 'answer'

/** The connection that requests are active on, as they see it. */
export interface Carrier extends Source {
  readonly closed: boolean
  readonly connected: boolean
  readonly writeFailed: boolean
  /** Whether nothing is read, because a reader takes its time. */
  readonly paused: boolean
  /** Bytes that are read on for a reader that has paused. */
  readonly pausedSize: number
  /** The first of its response came. */
  onAnswer(request: ActiveRequest): void
  /** Its reader has paused for so long that reading has to wait for it. */
  onBlocked(request: ActiveRequest): void
  /** Its reader goes on. */
  onUnblocked(): void
  /** It cannot go on; the others may. */
  onFailed(request: ActiveRequest, error: FastCGIError): void
  /** It was given up by its caller. */
  onDropped(request: ActiveRequest): void
  /** What it waited for did not come in time. */
  onTimeout(request: ActiveRequest, phase: Phase, length: number): void
}

/**
 * One request id of a connection and the request that is active under it, one after the other. The id is free again
 * after END_REQUEST, not before (FastCGI 1.0 §3.3), so an abandoned request keeps it until then.
 */
export class ActiveRequest implements ExchangeHolder, WriterEvents {
  readonly id: number
  /** The request; undefined where the id is free, or the request was abandoned. */
  exchange: Exchange | undefined
  /** Whether ABORT_REQUEST was sent and END_REQUEST has not come. */
  abandoned = false
  /** When it was sent; 0 before that. */
  sentAt = 0
  /** Whether anything of a response came. */
  answered = false
  /** Whether a record came in this read. */
  touched = false
  /** The one that a record came for after it. */
  nextTouched: ActiveRequest | undefined
  /** What END_REQUEST said, until it has been dealt with. */
  ended: { appStatus: number; protocolStatus: number } | undefined

  readonly #carrier: Carrier
  readonly #writer: RequestWriter
  readonly #deadline: Deadline<Phase>
  #paused = false
  #pausedSize = 0
  #blocks = false

  constructor(id: number, carrier: Carrier, socket: Socket, writeQueue: WriteQueue) {
    this.id = id
    this.#carrier = carrier
    this.#writer = new RequestWriter(id, socket, writeQueue, this)
    this.#deadline = new Deadline(this.#onTimeout)
  }

  /** Whether the id can be given to a request. */
  get free(): boolean {
    return this.exchange === undefined && !this.abandoned
  }

  /** Whether all of it has been sent. */
  get finished(): boolean {
    return this.#writer.finished
  }

  /** Whether nothing of it has been written. */
  get unwritten(): boolean {
    return this.sentAt === 0 || this.#writer.unwritten > 0
  }

  // ---- what the connection does with it

  take(exchange: Exchange): void {
    this.exchange = exchange
    this.sentAt = 0
    this.answered = false
    this.ended = undefined
    exchange.holder = this
    exchange.sent = exchange.refused = false
    exchange.attempts++
    this.#paused = false
    this.#pausedSize = 0
  }

  send(exchange: Exchange, keep: boolean, now: number): void {
    this.sentAt = now
    this.#writer.start(exchange, keep, now)
  }

  /** The socket has room again. */
  drained(): void {
    this.#writer.drained()
  }

  /** Writing has failed: an answer may still be there to be read. */
  stopWriting(): void {
    this.#writer.stop()
  }

  /** Lets go of the request. */
  release(): void {
    if (this.exchange !== undefined) this.exchange.holder = undefined
    this.exchange = undefined
    this.ended = undefined
    this.#writer.stop()
    this.#unblock()
  }

  /** Keeps the id for an application that has been told to abort, so many milliseconds. */
  abandon(patience: number): void {
    this.abandoned = true
    this.#deadline.wait('abort', patience)
  }

  /** The connection is gone. */
  close(): void {
    this.#deadline.clear()
  }

  /** Something moved: whatever is waited for now has its whole time again. */
  moved(now?: number): void {
    const { exchange } = this
    if (exchange === undefined) return
    const phase = this.#phase()
    const length = phase === 'answer' ? LAST_WORDS : exchange.timeouts[phase]
    this.#deadline.wait(phase, length, now)
  }

  // ---- what the application sends

  output(type: RecordType, chunk: Buffer): void {
    const { exchange } = this
    if (exchange === undefined) return
    if (!this.answered) this.#answer()
    try {
      if (type === RecordType.STDERR) exchange.stderr(chunk)
      else if (!exchange.done) {
        if (!exchange.stdout(chunk, this.#carrier)) this.#paused = true
        if (this.#paused && !this.#blocks) this.#readOn(chunk.length)
      }
    } catch (error) {
      this.#carrier.onFailed(this, asFastCGIError(error))
    }
  }

  /** A stream of the response has ended. */
  outputEnd(type: RecordType): void {
    if (this.exchange === undefined) return
    if (!this.answered) this.#answer()
    if (type === RecordType.STDOUT) this.exchange.stdoutEnd()
  }

  /** Takes END_REQUEST (FastCGI 1.0 §5.5). @throws ProtocolError */
  end(content: Buffer): void {
    if (content.length !== 8)
      throw new ProtocolError(`END_REQUEST of ${content.length} bytes, it has 8`)
    if (this.exchange !== undefined && !this.answered) this.#answer()
    this.ended = { appStatus: content.readUInt32BE(0), protocolStatus: content.readUInt8(4) }
  }

  #answer(): void {
    this.answered = true
    this.#carrier.onAnswer(this)
  }

  /** Its reader wants a pause. */
  pause(): void {
    this.#paused = true
    if (!this.#blocks) this.#readOn(0)
  }

  #readOn(length: number): void {
    if (this.exchange === undefined || !this.#paused) return
    this.#pausedSize += length
    if (this.#pausedSize < this.#carrier.pausedSize) return
    this.#blocks = true
    this.#carrier.onBlocked(this)
  }

  #unblock(): void {
    this.#pausedSize = 0
    if (!this.#blocks) return
    this.#blocks = false
    this.#carrier.onUnblocked()
  }

  // ---- what its caller does

  drop(): void {
    this.#carrier.onDropped(this)
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#unblock()
    this.moved()
  }

  // ---- what its writer tells

  onWritten(now?: number): void {
    this.moved(now)
  }

  onTaken(): void {
    if (this.#deadline.reason === 'write') this.moved()
  }

  onBodyFailed(error: RequestBodyError): void {
    this.#carrier.onFailed(this, error)
  }

  // ---- time

  #phase(): Phase {
    const carrier = this.#carrier
    if (!carrier.connected) return 'connect'
    if (this.#blocks) return 'reader'
    if (carrier.writeFailed) return 'answer'
    if (this.#writer.waitsForReader) return 'write'
    if (this.#writer.waitsForBody) return 'body'
    return this.exchange?.headDone ? 'idle' : 'head'
  }

  readonly #onTimeout = (waitedFor: Phase, length: number): void => {
    if (this.abandoned) {
      this.#carrier.onTimeout(this, 'abort', length)
      return
    }
    if (this.exchange === undefined) return
    const phase = this.#phase()
    // The reader takes its time, or what was waited for has come without a sound, as the end of writing does.
    if (phase !== 'reader' && (this.#paused || this.#carrier.paused)) return
    if (phase !== waitedFor) this.moved()
    else this.#carrier.onTimeout(this, phase, length)
  }
}
