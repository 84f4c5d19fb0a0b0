import type { Socket } from 'node:net'
import {
  encodeRecord,
  encodeRecordHeader,
  encodeRequestHead,
  MAX_CONTENT_LENGTH,
  RecordType,
} from '@fastcgi/protocol'
import type { RequestBodyError } from './errors.ts'
import type { Exchange } from './exchange.ts'
import { StdinPump, type StdinSink } from './stdin-pump.ts'

/** The one request id on a connection that does not multiplex; php-fpm and most others know no second. */
export const REQUEST_ID = 1

/** Bytes of a body in memory that are written at once; the next ones follow when these have left. */
const WRITE_SIZE = 4 * MAX_CONTENT_LENGTH

/** What a {@link RequestWriter} tells its connection. */
export interface WriterEvents {
  /** Something was written. */
  onWritten(): void
  /** The body is not complete and never will be. */
  onBodyFailed(error: RequestBodyError): void
}

/** The writing side of a connection: one request after the other, with backpressure. */
export class RequestWriter implements StdinSink {
  readonly #socket: Socket
  readonly #events: WriterEvents
  #exchange: Exchange | undefined
  #pump: StdinPump | undefined
  #rest: Buffer | undefined
  #ended = false

  constructor(socket: Socket, events: WriterEvents) {
    this.#socket = socket
    this.#events = events
    socket.on('drain', this.#onDrain)
  }

  /** Whether the end of STDIN has been written, and all of it has been handed to the system. */
  get finished(): boolean {
    return this.#ended && this.#socket.writableLength === 0
  }

  /** Whether it is the source of the body that is waited for. */
  get waitsForBody(): boolean {
    return this.#pump !== undefined
  }

  /** Sends a request: in one write, where the body is known and short. */
  start(exchange: Exchange, keepConnection: boolean): void {
    const { body } = exchange
    const bytes = body === null || Buffer.isBuffer(body) ? body : undefined
    const whole = bytes !== undefined && (bytes === null || bytes.length <= MAX_CONTENT_LENGTH)
    this.#exchange = exchange
    this.#ended = whole
    const head = encodeRequestHead({
      requestId: REQUEST_ID,
      role: exchange.role,
      keepConnection,
      params: exchange.params,
      stdin: whole ? (bytes ?? undefined) : undefined,
      endStdin: whole,
    })
    this.#socket.write(head, this.#onHeadWritten)
    this.#events.onWritten()
    if (whole) return
    if (bytes) {
      this.#rest = bytes
      this.#sendRest()
    } else if (body !== null && !Buffer.isBuffer(body)) {
      this.#pump = new StdinPump(body, exchange.bodyLength, this)
      this.#pump.start()
    }
  }

  /** Lets go of the body, sent or not. */
  stop(): void {
    this.#exchange = undefined
    this.#rest = undefined
    this.#pump?.stop()
    this.#pump = undefined
  }

  sendStdin(chunk: Buffer): boolean {
    const socket = this.#socket
    if (this.#pump !== undefined && this.#exchange !== undefined) this.#exchange.bodyTouched = true
    socket.cork()
    for (let at = 0; at < chunk.length; at += MAX_CONTENT_LENGTH) {
      const piece = chunk.subarray(at, at + MAX_CONTENT_LENGTH)
      socket.write(encodeRecordHeader(RecordType.STDIN, REQUEST_ID, piece.length))
      socket.write(piece)
    }
    socket.uncork()
    this.#events.onWritten()
    return !socket.writableNeedDrain
  }

  endStdin(): void {
    this.#pump = undefined
    this.#ended = true
    this.#socket.write(encodeRecord(RecordType.STDIN, REQUEST_ID))
    this.#events.onWritten()
  }

  stdinFailed(error: RequestBodyError): void {
    // Never the empty STDIN: the application would take the part for the whole.
    this.#events.onBodyFailed(error)
  }

  // Not all in one write: of that nobody learns how far it got, and a slow application would look like a dead one.
  #sendRest(): void {
    for (let rest = this.#rest; rest !== undefined; rest = this.#rest) {
      if (rest.length === 0) {
        this.#rest = undefined
        this.endStdin()
        return
      }
      this.#rest = rest.subarray(WRITE_SIZE)
      if (!this.sendStdin(rest.subarray(0, WRITE_SIZE))) return
    }
  }

  readonly #onHeadWritten = (error?: Error | null): void => {
    if (this.#exchange !== undefined && !error) this.#exchange.sent = true
  }

  readonly #onDrain = (): void => {
    this.#pump?.resume()
    this.#sendRest()
    this.#events.onWritten()
  }
}
