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

/** Bytes of a body in memory that are written at once; the next ones follow when these have left. */
const WRITE_SIZE = 4 * MAX_CONTENT_LENGTH

/** What a {@link RequestWriter} tells. */
export interface WriterEvents {
  /** Something was written. */
  onWritten(now?: number): void
  /** The system has taken something that was written. */
  onTaken(): void
  /** A body is not complete and never will be. */
  onBodyFailed(error: RequestBodyError): void
}

/** Writes the requests of one id: one after the other, with backpressure. */
export class RequestWriter implements BodySink, WriteQueueItem {
  /** Bytes of a request in the writeQueue. */
  unwritten = 0

  readonly #id: number
  readonly #socket: Socket
  readonly #writeQueue: WriteQueue
  readonly #events: WriterEvents
  #exchange: Exchange | undefined
  #pump: BodyPump | undefined
  #rest: Buffer | undefined
  /** The stream that is being sent: STDIN, then a filter's DATA. */
  #type: typeof RecordType.STDIN | typeof RecordType.DATA = RecordType.STDIN
  #ended = false
  #untaken = 0
  /** A whole request, until it is written. */
  #head: RequestHead | undefined

  constructor(id: number, socket: Socket, writeQueue: WriteQueue, events: WriterEvents) {
    this.#id = id
    this.#socket = socket
    this.#writeQueue = writeQueue
    this.#events = events
  }

  /** Whether the ends of all streams have been written, and all of it has been handed to the system. */
  get finished(): boolean {
    return this.#ended && this.#untaken === 0 && this.unwritten === 0
  }

  /** Whether something of this request waits for the application to read. */
  get waitsForReader(): boolean {
    return this.#untaken > 0 && this.#socket.writableLength > 0
  }

  /** Whether it is the source of a body that is waited for. */
  get waitsForBody(): boolean {
    return this.#pump !== undefined
  }

  /** Sends a request: in one write, where the body is known and short. @throws ParamsTooLargeError */
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
      this.unwritten = requestHeadLength(head)
      this.#head = head
      this.#writeQueue.add(this)
    } else {
      this.#untaken++
      this.#socket.write(encodeRequestHead(head), this.onHeadTaken)
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

  /** Lets go of the bodies, sent or not. */
  stop(): void {
    this.#exchange = undefined
    this.#head = undefined
    this.unwritten = 0
    this.#rest = undefined
    this.#pump?.stop()
    this.#pump = undefined
  }

  /** The socket has room again. */
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
    if (this.#pump !== undefined && this.#exchange !== undefined) this.#exchange.bodyTouched = true
    socket.cork()
    for (let at = 0; at < chunk.length; at += MAX_CONTENT_LENGTH) {
      const piece = chunk.subarray(at, at + MAX_CONTENT_LENGTH)
      socket.write(encodeRecordHeader(this.#type, this.#id, piece.length))
      this.#untaken++
      const isLast = at + piece.length === chunk.length
      socket.write(piece, disposes && isLast ? () => this.#dispose(chunk) : this.#onTaken)
    }
    socket.uncork()
    this.#events.onWritten()
    return !socket.writableNeedDrain
  }

  endBody(): void {
    this.#pump = undefined
    this.#ended = this.#type === RecordType.DATA || this.#exchange?.data === undefined
    this.#untaken++
    this.#socket.write(encodeRecord(this.#type, this.#id), this.#onTaken)
    this.#events.onWritten()
    this.#startData()
  }

  bodyFailed(error: RequestBodyError): void {
    // Never the empty record: the application would take the part for the whole.
    this.#events.onBodyFailed(error)
  }

  #startData(): void {
    const data = this.#exchange?.data
    if (data === undefined || this.#type === RecordType.DATA) return
    this.#type = RecordType.DATA
    this.#pump = new BodyPump(data.stream, data.length, this, 'data')
    this.#pump.start()
  }

  // Not all in one write: of that nobody learns how far it got, and a slow application would look like a dead one.
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

  // ---- a whole request, in the writeQueue

  writeTo(target: Buffer, at: number): number {
    const head = this.#head
    this.#head = undefined
    this.unwritten = 0
    return head === undefined ? at : writeRequestHead(target, at, head)
  }

  onHeadWritten(taken: boolean): void {
    if (!taken) this.#untaken++
    else if (this.#exchange !== undefined) this.#exchange.sent = true
  }

  readonly onHeadTaken = (error?: Error | null): void => {
    if (this.#exchange !== undefined && !error) this.#exchange.sent = true
    this.#onTaken()
  }

  #dispose(chunk: Buffer): void {
    freeMemory(chunk)
    this.#onTaken()
  }

  readonly #onTaken = (): void => {
    this.#untaken--
    this.#events.onTaken()
  }
}
