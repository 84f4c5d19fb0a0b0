import type { Socket } from 'node:net'
import { ProtocolError, type RecordHandler, RecordType } from '@fastcgi/protocol'
import type { Exchange } from '../exchange/exchange.ts'
import { ActiveRequest, type Carrier } from './active-request.ts'
import { WriteQueue } from './write-queue.ts'

/** The requests of a connection by their ids, small ones first, and the way of each record to its request. */
export class RequestTable implements RecordHandler, Iterable<ActiveRequest> {
  /** Requests under way. */
  active = 0
  /** Requests that were given up, whose END_REQUEST has not come. */
  abandoned = 0
  /** From id 1 on. */
  readonly #requests: ActiveRequest[] = []
  readonly #carrier: Carrier
  readonly #socket: Socket
  readonly #writeQueue: WriteQueue
  /** Requests that the last read brought something for: a list in the requests themselves, for there is one a read. */
  #firstTouched: ActiveRequest | undefined
  #lastTouched: ActiveRequest | undefined
  #nextDrained = 0

  constructor(carrier: Carrier, socket: Socket) {
    this.#carrier = carrier
    this.#socket = socket
    this.#writeQueue = new WriteQueue(socket)
  }

  /** Ids in use. */
  get size(): number {
    return this.active + this.abandoned
  }

  [Symbol.iterator](): Iterator<ActiveRequest> {
    return this.#requests.values()
  }

  /** Whether no request goes on. */
  get allEnded(): boolean {
    let ended = 0
    for (const request of this.#requests) if (request.ended !== undefined) ended++
    return ended === this.size
  }

  /** Takes out a request that the last read brought something for. */
  nextTouched(): ActiveRequest | undefined {
    const request = this.#firstTouched
    if (request === undefined) return undefined
    this.#firstTouched = request.nextTouched
    if (this.#firstTouched === undefined) this.#lastTouched = undefined
    request.touched = false
    request.nextTouched = undefined
    return request
  }

  /** Gives a request the lowest id that is free. */
  take(exchange: Exchange): ActiveRequest {
    const request = this.#free()
    this.active++
    request.take(exchange)
    return request
  }

  #free(): ActiveRequest {
    for (const request of this.#requests) if (request.free) return request
    const request = new ActiveRequest(
      this.#requests.length + 1,
      this.#carrier,
      this.#socket,
      this.#writeQueue,
    )
    this.#requests.push(request)
    return request
  }

  /** The socket has room: in turn, so that one upload does not hold up the others. */
  drained(): void {
    const all = this.#requests.length
    for (let n = 0; n < all && !this.#socket.writableNeedDrain; n++) {
      this.#nextDrained = (this.#nextDrained + 1) % all
      this.#requests[this.#nextDrained]?.drained()
    }
  }

  // ---- what the application sends

  onStream(type: RecordType, requestId: number, chunk: Buffer): void {
    this.#expect(type, requestId)?.output(type, chunk)
  }

  onStreamEnd(type: RecordType, requestId: number): void {
    this.#expect(type, requestId)?.outputEnd(type)
  }

  onMessage(type: number, requestId: number, content: Buffer): void {
    if (type === RecordType.GET_VALUES_RESULT || type === RecordType.UNKNOWN_TYPE) {
      // Answers to management records we did not send (FastCGI 1.0 §4): harmless during a request.
      if (requestId !== 0) throw new ProtocolError(`management record with request id ${requestId}`)
      return
    }
    const request = this.#expect(type, requestId)
    if (type !== RecordType.END_REQUEST)
      throw new ProtocolError(`unexpected record of type ${type}`)
    request?.end(content)
  }

  /** Whom a record is for; undefined when the connection was closed in the course of this read. */
  #expect(type: number, requestId: number): ActiveRequest | undefined {
    const request = this.#requests[requestId - 1]
    if (request === undefined || request.free || request.ended !== undefined) {
      if (this.#carrier.closed) return undefined
      throw new ProtocolError(
        `record of type ${type} for request id ${requestId}, which is not active`,
      )
    }
    if (type === RecordType.PARAMS || type === RecordType.STDIN || type === RecordType.DATA)
      throw new ProtocolError(`record of type ${type}, which only a web server sends`)
    if (!request.touched) {
      request.touched = true
      if (this.#lastTouched === undefined) this.#firstTouched = request
      else this.#lastTouched.nextTouched = request
      this.#lastTouched = request
    }
    return request
  }
}
