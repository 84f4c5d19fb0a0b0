import type { Socket } from 'node:net'
import { encodeRecord, encodeRecordHeader, RecordType } from '@fastcgi/protocol'

/** Most content of a record of STDOUT: what one request sends before it is another one's turn. */
const TURN = 32_768

/** Content that is shorter than this is copied behind its header; longer content is written as it is. */
const COPIED = 8192

/** Output of one request that waits for its turn. */
interface Waiting {
  id: number
  pieces: Buffer[]
  taken: () => void
}

/**
 * The writing side of a connection. Requests take turns, a record each, so that a long response does not keep the
 * short ones waiting; nothing is taken while the web server does not read.
 */
export class Output {
  /** When something last left, in milliseconds of `performance.now()`. */
  lastMove = 0

  readonly #socket: Socket
  readonly #queue: Waiting[] = []
  #pumping = false
  #corked = false

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('drain', this.#pump)
  }

  /** Whether there is output that the web server has not taken. */
  get stalled(): boolean {
    return this.#queue.length > 0 || this.#socket.writableLength > 0
  }

  /** Bytes that are on their way. */
  get backlog(): number {
    return this.#socket.writableLength
  }

  /** Sends pieces of STDOUT when it is their turn; `taken` is called when the next ones can come. */
  stdout(id: number, pieces: Buffer[], taken: () => void): void {
    if (!this.stalled) this.lastMove = performance.now()
    this.#queue.push({ id, pieces, taken })
    this.#pump()
  }

  /** Sends whole records now. */
  records(bytes: Buffer): void {
    if (!this.stalled) this.lastMove = performance.now()
    this.#cork()
    this.#socket.write(bytes, this.#onWritten)
  }

  /** Forgets what a request has not sent yet. */
  drop(id: number): void {
    const at = this.#queue.findIndex((waiting) => waiting.id === id)
    if (at !== -1) this.#queue.splice(at, 1)
  }

  readonly #pump = (): void => {
    // `taken` may bring the next pieces at once.
    if (this.#pumping) return
    this.#pumping = true
    while (!this.#socket.writableNeedDrain && this.#socket.writable) {
      const waiting = this.#queue.shift()
      if (waiting === undefined) break
      this.#send(waiting)
      if (waiting.pieces.length > 0) this.#queue.push(waiting)
      else waiting.taken()
    }
    this.#pumping = false
  }

  #send({ id, pieces }: Waiting): void {
    const [piece = EMPTY] = pieces
    const content = piece.length > TURN ? piece.subarray(0, TURN) : piece
    if (content === piece) pieces.shift()
    else pieces[0] = piece.subarray(TURN)
    this.#cork()
    if (content.length <= COPIED) {
      this.#socket.write(encodeRecord(RecordType.STDOUT, id, content), this.#onWritten)
    } else {
      this.#socket.write(encodeRecordHeader(RecordType.STDOUT, id, content.length))
      this.#socket.write(content, this.#onWritten)
    }
  }

  // What is written in one turn of the event loop leaves in one write: a head, its body, END_REQUEST.
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
    this.lastMove = performance.now()
  }
}

const EMPTY = Buffer.alloc(0)
