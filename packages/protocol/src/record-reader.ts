// Decoding of records (FastCGI 1.0 §3.3).
import { HEADER_LENGTH, RecordType, VERSION } from './constants.ts'
import { ProtocolError, VersionError } from './errors.ts'
import { otherProtocol } from './other-protocols.ts'

/** Receives the records that a {@link RecordReader} decodes. When a method throws, the reader cannot be used further. */
export interface RecordHandler {
  /**
   * Content of a PARAMS, STDIN, STDOUT, STDERR or DATA record; never empty. One record may be reported in several
   * chunks. Each chunk is a view of the buffer passed to {@link RecordReader.push}, not a copy.
   */
  onStream(type: RecordType, requestId: number, chunk: Buffer): void
  /** The empty record that ends a stream (FastCGI 1.0 §3.3). */
  onStreamEnd(type: RecordType, requestId: number): void
  /** A complete record of any other type, unknown types included. The content may be a view of the pushed buffer. */
  onMessage(type: number, requestId: number, content: Buffer): void
}

const EMPTY = Buffer.alloc(0)

/**
 * Incremental decoder of a sequence of records (FastCGI 1.0 §3.3). Chunks may be cut anywhere. Stream content is never
 * copied; a header or a message is copied only when it spans two chunks.
 */
export class RecordReader {
  readonly #handler: RecordHandler
  readonly #header: Buffer = Buffer.alloc(HEADER_LENGTH)
  #headerLength = 0
  #type = 0
  #requestId = 0
  #contentLeft = 0
  #paddingLeft = 0
  #message: Buffer = EMPTY
  #messageLength = 0
  #failed = false

  constructor(handler: RecordHandler) {
    this.#handler = handler
  }

  /** Whether the bytes pushed so far end exactly at the end of a record, padding included. */
  get atBoundary(): boolean {
    return this.#headerLength === 0
  }

  /**
   * Decodes a chunk and calls the handler synchronously.
   * @throws VersionError for a version other than 1; ProtocolError on every call after one that threw. Errors thrown by the
   * handler are passed on.
   */
  push(chunk: Buffer): void {
    // After an error the position in the stream is unknown: content could be read as record headers. The flag is set
    // for the time of the call, so that any exception leaves it set.
    if (this.#failed) throw new ProtocolError('the record reader cannot be used after an error')
    this.#failed = true
    let at = 0
    const length = chunk.length
    while (at < length) {
      if (this.#headerLength < HEADER_LENGTH) {
        at = this.#readHeader(chunk, at)
      } else if (this.#contentLeft > 0) {
        const end = Math.min(length, at + this.#contentLeft)
        this.#contentLeft -= end - at
        this.#readContent(chunk, at, end)
        at = end
      } else {
        const skipped = Math.min(length - at, this.#paddingLeft)
        this.#paddingLeft -= skipped
        at += skipped
      }
      if (
        this.#contentLeft === 0 &&
        this.#paddingLeft === 0 &&
        this.#headerLength === HEADER_LENGTH
      )
        this.#headerLength = 0
    }
    this.#failed = false
  }

  #readHeader(chunk: Buffer, at: number): number {
    if (this.#headerLength === 0 && chunk.length - at >= HEADER_LENGTH) {
      this.#headerLength = HEADER_LENGTH
      this.#startRecord(chunk, at)
      return at + HEADER_LENGTH
    }
    const end = Math.min(chunk.length, at + HEADER_LENGTH - this.#headerLength)
    chunk.copy(this.#header, this.#headerLength, at, end)
    this.#headerLength += end - at
    if (this.#headerLength === HEADER_LENGTH) this.#startRecord(this.#header, 0)
    return end
  }

  #startRecord(source: Buffer, at: number): void {
    const version = source.readUInt8(at)
    if (version !== VERSION)
      throw new VersionError(version, otherProtocol(source.subarray(at, at + HEADER_LENGTH)))
    this.#type = source.readUInt8(at + 1)
    this.#requestId = source.readUInt16BE(at + 2)
    this.#contentLeft = source.readUInt16BE(at + 4)
    this.#paddingLeft = source.readUInt8(at + 6)
    if (this.#contentLeft > 0) return
    if (isStream(this.#type)) this.#handler.onStreamEnd(this.#type, this.#requestId)
    else this.#handler.onMessage(this.#type, this.#requestId, EMPTY)
  }

  #readContent(chunk: Buffer, start: number, end: number): void {
    const piece = chunk.subarray(start, end)
    if (isStream(this.#type)) this.#handler.onStream(this.#type, this.#requestId, piece)
    else this.#collectMessage(piece)
  }

  #collectMessage(piece: Buffer): void {
    if (this.#messageLength === 0 && this.#contentLeft === 0) {
      this.#handler.onMessage(this.#type, this.#requestId, piece)
      return
    }
    if (this.#messageLength === 0)
      this.#message = Buffer.allocUnsafe(piece.length + this.#contentLeft)
    this.#messageLength += piece.copy(this.#message, this.#messageLength)
    if (this.#contentLeft > 0) return
    const message = this.#message
    this.#message = EMPTY
    this.#messageLength = 0
    this.#handler.onMessage(this.#type, this.#requestId, message)
  }
}

function isStream(type: number): type is RecordType {
  return (
    type === RecordType.STDOUT ||
    type === RecordType.STDERR ||
    type === RecordType.STDIN ||
    type === RecordType.PARAMS ||
    type === RecordType.DATA
  )
}
