// Sends a request: the head, STDIN, and DATA for a filter.
import type { Socket } from 'node:net'
import {
  encodeRecord,
  encodeRecordHeader,
  encodeRequestHead,
  MAX_CONTENT_LENGTH,
  RecordType,
  type RequestHead,
  requestHeadLength,
  writeRequestHead,
} from '@fastcgi/protocol'
import type { RequestBodyError } from '../errors.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { BodyPump, type BodySink } from './body-pump.ts'
import { freeMemory } from './free-memory.ts'
import type { WriteQueue, WriteQueueItem } from './write-queue.ts'

/** How many bytes of a Buffer body are written before waiting for 'drain'. */
const WRITE_SIZE = 4 * MAX_CONTENT_LENGTH

/** Events of a {@link RequestWriter}. */
export interface WriterEvents {
  /** Data was passed to the socket. */
  onWritten(now?: number): void
  /** Data that was written has been flushed to the kernel, or writing it has failed. */
  onFlushed(): void
  /** A body cannot be sent completely. */
  onBodyFailed(error: RequestBodyError): void
}

/** Writes the requests of one request id, one after the other, with backpressure. */
export class RequestWriter implements BodySink, WriteQueueItem {
  /** Size in bytes of the request in the write queue; 0 when none is there. */
  queuedBytes = 0

  readonly #id: number
  readonly #socket: Socket
  readonly #writeQueue: WriteQueue
  readonly #events: WriterEvents
  #exchange: Exchange | undefined
  #pump: BodyPump | undefined
  #rest: Buffer | undefined
  /** The stream that is currently sent: STDIN, then DATA for a filter. */
  #type: typeof RecordType.STDIN | typeof RecordType.DATA = RecordType.STDIN
  #ended = false
  #unflushed = 0
  /** The request in the write queue. */
  #head: RequestHead | undefined

  constructor(id: number, socket: Socket, writeQueue: WriteQueue, events: WriterEvents) {
    this.#id = id
    this.#socket = socket
    this.#writeQueue = writeQueue
    this.#events = events
  }

  /** Whether the end records of all streams have been written and everything has been flushed to the kernel. */
  get finished(): boolean {
    return this.#ended && this.#unflushed === 0 && this.queuedBytes === 0
  }

  /** Whether data of this request waits for the application to read. */
  get waitsForApplication(): boolean {
    return this.#unflushed > 0 && this.#socket.writableLength > 0
  }

  /** Whether it waits for the stream of a body. */
  get waitsForBody(): boolean {
    return this.#pump !== undefined
  }

  /**
   * Starts to send a request. A complete request with a body of at most 65535 bytes goes through the write queue, which
   * combines it with other requests into one write; other requests are written at once.
   * @throws ParamsTooLargeError when `params` is an encoded block with a pair over 65528 bytes.
   */
  start(exchange: Exchange, keepConnection: boolean, now: number): void {
    const { body } = exchange
    const bytes = body === null || Buffer.isBuffer(body) ? body : undefined
    const whole = bytes !== undefined && (bytes === null || bytes.length <= MAX_CONTENT_LENGTH)
    const head = {
      requestId: this.#id,
      role: exchange.role,
      keepConnection,
      params: exchange.params,
      stdin: whole ? (bytes ?? undefined) : undefined,
      endStdin: whole && (exchange.stdin || bytes !== null),
    }
    this.#exchange = exchange
    this.#type = RecordType.STDIN
    this.#ended = whole && exchange.data === undefined
    if (this.#ended) {
      this.queuedBytes = requestHeadLength(head)
      this.#head = head
      this.#writeQueue.add(this)
    } else {
      this.#unflushed++
      this.#socket.write(encodeRequestHead(head), this.onHeadFlushed)
    }
    this.#events.onWritten(now)
    if (whole) this.#startData()
    else if (bytes) {
      this.#rest = bytes
      this.#sendRest()
    } else if (body !== null && !Buffer.isBuffer(body)) {
      this.#pump = new BodyPump(body, exchange.bodyLength, this)
      this.#pump.start()
    }
  }

  /** Stops sending and detaches from the body streams. */
  stop(): void {
    this.#exchange = undefined
    this.#head = undefined
    this.queuedBytes = 0
    this.#rest = undefined
    this.#pump?.stop()
    this.#pump = undefined
  }

  /** Called when the write buffer of the socket has been drained. */
  drained(): void {
    if (this.#exchange === undefined) return
    this.#pump?.resume()
    this.#sendRest()
    this.#events.onWritten()
  }

  takeBody(chunk: Buffer): boolean {
    const socket = this.#socket
    const { disposeBody } = this.#exchange ?? {}
    const disposes =
      disposeBody === true && this.#type === RecordType.STDIN && this.#pump?.isOnlyReader === true
    if (this.#pump !== undefined && this.#exchange !== undefined) this.#exchange.bodyUsed = true
    socket.cork()
    for (let at = 0; at < chunk.length; at += MAX_CONTENT_LENGTH) {
      const piece = chunk.subarray(at, at + MAX_CONTENT_LENGTH)
      socket.write(encodeRecordHeader(this.#type, this.#id, piece.length))
      this.#unflushed++
      const isLast = at + piece.length === chunk.length
      socket.write(piece, disposes && isLast ? () => this.#dispose(chunk) : this.#onFlushed)
    }
    socket.uncork()
    this.#events.onWritten()
    return !socket.writableNeedDrain
  }

  endBody(): void {
    this.#pump = undefined
    this.#ended = this.#type === RecordType.DATA || this.#exchange?.data === undefined
    this.#unflushed++
    this.#socket.write(encodeRecord(this.#type, this.#id), this.#onFlushed)
    this.#events.onWritten()
    this.#startData()
  }

  bodyFailed(error: RequestBodyError): void {
    // The end record of the stream is not sent, so that the application does not take the part for the whole.
    this.#events.onBodyFailed(error)
  }

  #startData(): void {
    const data = this.#exchange?.data
    if (data === undefined || this.#type === RecordType.DATA) return
    this.#type = RecordType.DATA
    this.#pump = new BodyPump(data.stream, data.length, this, 'data')
    this.#pump.start()
  }

  // A Buffer body is written in parts. The callback of a single large write would come only at its end, and the write
  // timeout would expire for an application that is slow but does read.
  #sendRest(): void {
    for (let rest = this.#rest; rest !== undefined; rest = this.#rest) {
      if (rest.length === 0) {
        this.#rest = undefined
        this.endBody()
        return
      }
      this.#rest = rest.subarray(WRITE_SIZE)
      if (!this.takeBody(rest.subarray(0, WRITE_SIZE))) return
    }
  }

  // ---- a complete request in the write queue

  writeTo(target: Buffer, at: number): number {
    const head = this.#head
    this.#head = undefined
    this.queuedBytes = 0
    return head === undefined ? at : writeRequestHead(target, at, head)
  }

  onHeadWritten(flushed: boolean): void {
    if (!flushed) this.#unflushed++
    else if (this.#exchange !== undefined) this.#exchange.sent = true
  }

  readonly onHeadFlushed = (error?: Error | null): void => {
    if (this.#exchange !== undefined && !error) this.#exchange.sent = true
    this.#onFlushed()
  }

  #dispose(chunk: Buffer): void {
    freeMemory(chunk)
    this.#onFlushed()
  }

  readonly #onFlushed = (): void => {
    this.#unflushed--
    this.#events.onFlushed()
  }
}
