import {
  type FastCGIError,
  ProtocolError,
  type RecordHandler,
  RecordReader,
  RecordType,
} from '@fastcgi/protocol'
import type { Address } from './address.ts'
import { ApplicationSocket, type SocketEvents } from './application-socket.ts'
import { connectError, lostError, timeoutError } from './connection-errors.ts'
import { Deadline } from './deadline.ts'
import type { Timeouts } from './dispatcher.ts'
import type { RequestBodyError } from './errors.ts'
import { asFastCGIError, type Exchange, type ExchangeHolder } from './exchange.ts'
import type { PoolSettings } from './options.ts'
import { REQUEST_ID, RequestWriter, type WriterEvents } from './request-writer.ts'

/** How long an answer is waited for after the application stopped reading, in milliseconds. */
const LAST_WORDS = 1000

/** What can be waited for, each with a timeout of its name. */
type Phase = keyof Timeouts

/** What a connection tells whoever owns it. */
export interface ConnectionOwner {
  /** The first bytes of a response came, so many milliseconds after its request was sent. */
  onAnswer(connection: Connection, elapsed: number): void
  /** A response is complete and the connection can carry another request. */
  onIdle(connection: Connection): void
  /** A request failed; its connection has been closed. */
  onFailure(connection: Connection, exchange: Exchange, error: FastCGIError): void
  /** A request was given up; its connection has been closed. */
  onDropped(connection: Connection): void
  /** The connection is closed and gone. Comes once, at once, before `onFailure`. */
  onClosed(connection: Connection): void
}

/**
 * One socket to an application, carrying one request at a time. Whatever goes wrong on it, it is closed and never
 * used again; it is clean only when END_REQUEST was the last byte read and all of STDIN had been sent before.
 */
export class Connection implements RecordHandler, SocketEvents, WriterEvents, ExchangeHolder {
  readonly createdAt: number
  /** Requests begun. */
  requests = 0
  /** When its owner put it aside; the owner's to keep. */
  idleSince = 0

  readonly #address: Address
  readonly #settings: PoolSettings
  readonly #owner: ConnectionOwner
  readonly #socket: ApplicationSocket
  readonly #reader: RecordReader = new RecordReader(this)
  readonly #writer: RequestWriter
  #connectedAt = 0
  #closed = false
  #socketError: Error | undefined

  #exchange: Exchange | undefined
  #keep = false
  #sentAt = 0
  #writeFailed = false
  #paused = false
  #answered = false
  #ended: { appStatus: number; protocolStatus: number } | undefined

  readonly #deadline: Deadline<Phase | 'answer'>

  constructor(address: Address, settings: PoolSettings, owner: ConnectionOwner, now: number) {
    this.#address = address
    this.#settings = settings
    this.#owner = owner
    this.createdAt = now
    this.#deadline = new Deadline(this.#onTimeout)
    this.#socket = new ApplicationSocket(this)
    this.#writer = new RequestWriter(this.#socket, this)
    this.#socket.on('error', this.#onError)
    this.#socket.on('end', this.#lost)
    this.#socket.on('close', this.#lost)
  }

  /** Whether it is gone, so that nothing can be sent on it. */
  get closed(): boolean {
    return this.#closed
  }

  /** Connects and sends a first request: applications close connections that say nothing. */
  open(exchange: Exchange, keep: boolean): void {
    this.#take(exchange, keep)
    this.#socket.once('connect', this.#onConnect)
    this.#moved()
    this.#socket.open(this.#address, this.#settings.tcpKeepAlive)
  }

  /** Sends a further request. */
  run(exchange: Exchange, keep: boolean): void {
    this.#take(exchange, keep)
    this.#send(exchange, true)
  }

  /** Closes the socket; a request on it fails with `error`. */
  destroy(error?: FastCGIError): void {
    if (error !== undefined) this.#fail(error)
    else this.#close()
  }

  drop(_exchange: Exchange): void {
    this.#release()
    this.#close()
    this.#owner.onDropped(this)
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#socket.resume()
    this.#moved()
  }

  // ---- one request

  #take(exchange: Exchange, keep: boolean): void {
    this.#exchange = exchange
    this.#keep = keep
    this.#answered = false
    this.#ended = undefined
    exchange.holder = this
    exchange.sent = exchange.refused = false
    exchange.attempts++
    this.requests++
  }

  #send(exchange: Exchange, reused: boolean): void {
    const now = performance.now()
    this.#sentAt = now
    const attempt = {
      address: this.#address.name,
      reused,
      queueTime: (reused ? now : this.createdAt) - exchange.startedAt,
      connectTime: reused ? 0 : this.#connectedAt - this.createdAt,
    }
    exchange.started(attempt, now)
    if (exchange.done || this.#closed) return
    this.#writer.start(exchange, this.#keep)
  }

  onWritten(): void {
    this.#moved()
  }

  onBodyFailed(error: RequestBodyError): void {
    this.#fail(error)
  }

  // ---- what the application sends

  onBytes(chunk: Buffer): void {
    if (this.#exchange === undefined) {
      // Nobody asked: whatever it is, it must not become part of the next response.
      this.#close()
      return
    }
    if (!this.#answered) {
      this.#answered = true
      this.#owner.onAnswer(this, performance.now() - this.#sentAt)
    }
    let failure: FastCGIError | undefined
    try {
      this.#reader.push(chunk)
    } catch (error) {
      failure = asFastCGIError(error)
    }
    if (this.#ended !== undefined) this.#complete(failure === undefined)
    else if (failure !== undefined) this.#fail(failure)
    else {
      this.#exchange?.flush()
      this.#moved()
    }
  }

  onStream(type: RecordType, requestId: number, chunk: Buffer): void {
    const exchange = this.#expect(type, requestId)
    if (type === RecordType.STDERR) exchange.stderr(chunk)
    else if (!exchange.done && !exchange.stdout(chunk)) this.#pause()
  }

  onStreamEnd(type: RecordType, requestId: number): void {
    const exchange = this.#expect(type, requestId)
    if (type === RecordType.STDOUT) exchange.stdoutEnd()
  }

  onMessage(type: number, requestId: number, content: Buffer): void {
    if (type === RecordType.GET_VALUES_RESULT || type === RecordType.UNKNOWN_TYPE) {
      // Answers to management records we did not send (FastCGI 1.0 §4): harmless during a request.
      if (requestId !== 0) throw new ProtocolError(`management record with request id ${requestId}`)
      return
    }
    this.#expect(type, requestId)
    if (type !== RecordType.END_REQUEST)
      throw new ProtocolError(`unexpected record of type ${type}`)
    if (content.length !== 8)
      throw new ProtocolError(`END_REQUEST of ${content.length} bytes, it has 8`)
    this.#ended = { appStatus: content.readUInt32BE(0), protocolStatus: content.readUInt8(4) }
  }

  #expect(type: number, requestId: number): Exchange {
    const exchange = this.#exchange
    if (exchange === undefined || this.#ended !== undefined)
      throw new ProtocolError(`record of type ${type} outside of any request`)
    if (requestId !== REQUEST_ID)
      throw new ProtocolError(`record for request id ${requestId}, the only one is ${REQUEST_ID}`)
    if (type === RecordType.PARAMS || type === RecordType.STDIN || type === RecordType.DATA)
      throw new ProtocolError(`record of type ${type}, which only a web server sends`)
    return exchange
  }

  #pause(): void {
    if (this.#closed || this.#paused) return
    this.#paused = true
    this.#socket.pause()
  }

  // ---- ends

  #complete(noSurplus: boolean): void {
    const exchange = this.#exchange
    const ended = this.#ended
    if (exchange === undefined || ended === undefined) return
    const error = exchange.judgeEnd(ended.protocolStatus)
    if (error !== undefined) {
      this.#fail(error)
      return
    }
    const clean =
      noSurplus &&
      this.#keep &&
      !this.#writeFailed &&
      !this.#closed &&
      this.#writer.finished &&
      this.#reader.atBoundary
    this.#release()
    if (clean && this.#paused) this.resume()
    if (clean) this.#owner.onIdle(this)
    else this.#close()
    exchange.end(ended.appStatus)
  }

  #fail(error: FastCGIError): void {
    const exchange = this.#exchange
    this.#release()
    this.#close()
    if (exchange === undefined || exchange.done) return
    exchange.holder = undefined
    this.#owner.onFailure(this, exchange, error)
  }

  #release(): void {
    this.#exchange = undefined
    this.#ended = undefined
    this.#writer.stop()
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#deadline.clear()
    this.#socket.destroy()
    this.#owner.onClosed(this)
  }

  // ---- the socket

  readonly #onConnect = (): void => {
    this.#connectedAt = performance.now()
    if (this.#exchange !== undefined) this.#send(this.#exchange, false)
  }

  onWriteFailed(error: Error): void {
    this.#socketError = error
    this.#writeFailed = true
    const sent = this.#exchange?.sent === true
    this.#writer.stop()
    if (!sent) {
      // To what never got there, there is no answer to wait for.
      this.#lost()
      return
    }
    this.resume()
    this.#moved()
  }

  readonly #onError = (error: Error): void => {
    this.#socketError ??= error
  }

  readonly #lost = (): void => {
    const exchange = this.#exchange
    if (exchange === undefined) this.#close()
    else if (this.#connectedAt === 0) this.#fail(connectError(this.#address, this.#socketError))
    else {
      // A part of a record is a part of a response, too.
      if (this.#answered) exchange.arrived = true
      this.#fail(lostError(this.#address, exchange, this.#answered, this.#socketError))
    }
  }

  // ---- time

  /** Something moved: whatever is waited for now has its whole time again. */
  #moved(): void {
    const exchange = this.#exchange
    if (exchange === undefined || this.#closed) return
    const phase = this.#phase()
    this.#deadline.wait(phase, phase === 'answer' ? LAST_WORDS : exchange.timeouts[phase])
  }

  #phase(): Phase | 'answer' {
    if (this.#connectedAt === 0) return 'connect'
    if (this.#writeFailed) return 'answer'
    if (this.#socket.writableLength > 0) return 'write'
    if (this.#writer.waitsForBody) return 'body'
    return this.#exchange?.headDone ? 'idle' : 'head'
  }

  readonly #onTimeout = (waitedFor: Phase | 'answer', length: number): void => {
    // The reader takes its time, or what was waited for has come without a sound, as the end of writing does.
    if (this.#paused || this.#exchange === undefined) return
    const phase = this.#phase()
    if (phase !== waitedFor) this.#moved()
    else if (phase === 'answer') this.#lost()
    else this.#fail(timeoutError(this.#address, phase, length))
  }
}
