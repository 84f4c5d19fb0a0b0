import type { Socket } from 'node:net'
import { ProtocolError, type RecordHandler, RecordType } from '@fastcgi/protocol'
import type { Exchange } from '../exchange/exchange.ts'
import { ActiveRequest, type RequestOwner } from './active-request.ts'
import { WriteQueue } from './write-queue.ts'

/** The requests of a connection by request id. Assigns the lowest free id, and passes each record to its request. */
export class RequestTable implements RecordHandler, Iterable<ActiveRequest> {
  /** Number of active requests. */
  active = 0
  /** Number of aborted requests whose END_REQUEST has not arrived. */
  abandoned = 0
  /** The request with id n is at index n - 1. */
  readonly #requests: ActiveRequest[] = []
  readonly #owner: RequestOwner
  readonly #socket: Socket
  readonly #writeQueue: WriteQueue
  /** Requests that the current read contains records for: a linked list, which saves an array per read. */
  #firstTouched: ActiveRequest | undefined
  #lastTouched: ActiveRequest | undefined
  #nextDrained = 0

  constructor(owner: RequestOwner, socket: Socket) {
    this.#owner = owner
    this.#socket = socket
    this.#writeQueue = new WriteQueue(socket)
  }

  /** Number of ids in use. */
  get size(): number {
    return this.active + this.abandoned
  }

  [Symbol.iterator](): Iterator<ActiveRequest> {
    return this.#requests.values()
  }

  /** Whether END_REQUEST has arrived for all ids in use. */
  get allEnded(): boolean {
    let ended = 0
    for (const request of this.#requests) if (request.ended !== undefined) ended++
    return ended === this.size
  }

  /** Removes and returns the first request that the current read contains records for. */
  nextTouched(): ActiveRequest | undefined {
    const request = this.#firstTouched
    if (request === undefined) return undefined
    this.#firstTouched = request.nextTouched
    if (this.#firstTouched === undefined) this.#lastTouched = undefined
    request.touched = false
    request.nextTouched = undefined
    return request
  }

  /** Assigns the lowest free id to a request. */
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
      this.#owner,
      this.#socket,
      this.#writeQueue,
    )
    this.#requests.push(request)
    return request
  }

  /** Called when the socket's write buffer is drained. Continues uploads in turn, so that one does not block the rest. */
  drained(): void {
    const all = this.#requests.length
    for (let n = 0; n < all && !this.#socket.writableNeedDrain; n++) {
      this.#nextDrained = (this.#nextDrained + 1) % all
      this.#requests[this.#nextDrained]?.drained()
    }
  }

  // ---- records from the application

  onStream(type: RecordType, requestId: number, chunk: Buffer): void {
    this.#expect(type, requestId)?.output(type, chunk)
  }

  onStreamEnd(type: RecordType, requestId: number): void {
    this.#expect(type, requestId)?.outputEnd(type)
  }

  onMessage(type: number, requestId: number, content: Buffer): void {
    if (type === RecordType.GET_VALUES_RESULT || type === RecordType.UNKNOWN_TYPE) {
      // Answers to management records that were not sent (FastCGI 1.0 §4) are ignored.
      if (requestId !== 0) throw new ProtocolError(`management record with request id ${requestId}`)
      return
    }
    const request = this.#expect(type, requestId)
    if (type !== RecordType.END_REQUEST)
      throw new ProtocolError(`unexpected record of type ${type} from the application`)
    request?.end(content)
  }

  /**
   * Returns the request of a record; undefined when the connection was closed earlier in the same read.
   * @throws ProtocolError for an id that is not active, and for a record type that only a web server sends.
   */
  #expect(type: number, requestId: number): ActiveRequest | undefined {
    const request = this.#requests[requestId - 1]
    if (request === undefined || request.free || request.ended !== undefined) {
      if (this.#owner.closed) return undefined
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
