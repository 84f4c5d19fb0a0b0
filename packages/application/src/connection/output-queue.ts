// The sending side of a connection: divides it among the requests, and batches small writes.
import type { Socket } from 'node:net'
import { encodeRecord, encodeRecordHeader, RecordType } from '@fastcgi/protocol'

/** Maximum content of a STDOUT record in bytes; after each record it is the next request's turn. */
const MAX_STDOUT_CONTENT = 32_768

/** Content up to this size in bytes is copied into one buffer with its header; larger content is written uncopied. */
const COPY_LIMIT = 8192

/** STDOUT of one request that is waiting to be sent. */
interface QueuedOutput {
  id: number
  chunks: Buffer[]
  /** Called when all chunks have been written. */
  callback: () => void
}

/**
 * Sends the records of a connection. Requests take turns, one STDOUT record each, so that a long response does not delay
 * short ones. While the socket is above its high-water mark nothing is sent, and the callbacks are not called, which
 * stops the streams that write the responses.
 */
export class OutputQueue {
  /** When the socket last took output, in milliseconds of `performance.now()`. */
  lastActivity = 0

  readonly #socket: Socket
  readonly #queue: QueuedOutput[] = []
  #flushing = false
  #corked = false

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('drain', this.#flush)
  }

  /** Whether there is output that the socket has not taken yet. */
  get stalled(): boolean {
    return this.#queue.length > 0 || this.#socket.writableLength > 0
  }

  /** Bytes in the buffer of the socket. */
  get backlog(): number {
    return this.#socket.writableLength
  }

  /** Queues STDOUT of a request; `callback` is called when all of it has been written, and more is accepted. */
  stdout(id: number, chunks: Buffer[], callback: () => void): void {
    if (!this.stalled) this.lastActivity = performance.now()
    this.#queue.push({ id, chunks, callback })
    this.#flush()
  }

  /** Writes complete records at once, ahead of queued STDOUT. */
  writeRecords(bytes: Buffer): void {
    if (!this.stalled) this.lastActivity = performance.now()
    this.#cork()
    this.#socket.write(bytes, this.#onWritten)
  }

  /** Discards the queued STDOUT of a request. */
  drop(id: number): void {
    const at = this.#queue.findIndex((output) => output.id === id)
    if (at !== -1) this.#queue.splice(at, 1)
  }

  readonly #flush = (): void => {
    // A callback may call stdout() synchronously; the loop below then sends that as well.
    if (this.#flushing) return
    this.#flushing = true
    while (!this.#socket.writableNeedDrain && this.#socket.writable) {
      const output = this.#queue.shift()
      if (output === undefined) break
      this.#send(output)
      if (output.chunks.length > 0) this.#queue.push(output)
      else output.callback()
    }
    this.#flushing = false
  }

  #send({ id, chunks }: QueuedOutput): void {
    const [chunk = EMPTY] = chunks
    const content =
      chunk.length > MAX_STDOUT_CONTENT ? chunk.subarray(0, MAX_STDOUT_CONTENT) : chunk
    if (content === chunk) chunks.shift()
    else chunks[0] = chunk.subarray(MAX_STDOUT_CONTENT)
    this.#cork()
    if (content.length <= COPY_LIMIT) {
      this.#socket.write(encodeRecord(RecordType.STDOUT, id, content), this.#onWritten)
    } else {
      this.#socket.write(encodeRecordHeader(RecordType.STDOUT, id, content.length))
      this.#socket.write(content, this.#onWritten)
    }
  }

  // Corks the socket until the end of the turn of the event loop, so that everything written in it (head, body,
  // END_REQUEST) leaves in one writev() instead of one system call each.
  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    this.#socket.cork()
    setImmediate(this.#uncork)
  }

  readonly #uncork = (): void => {
    this.#corked = false
    this.#socket.uncork()
  }

  readonly #onWritten = (): void => {
    this.lastActivity = performance.now()
  }
}

const EMPTY = Buffer.alloc(0)
