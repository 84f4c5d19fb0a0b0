import { Socket } from 'node:net'
import type { Client } from './request-head.ts'
import { toCgiHead } from './response-head.ts'

/** Takes what a response consists of. */
export interface ResponseSink {
  /** Pieces of a CGI response; `taken` is called when more can come. */
  onOutput(pieces: Buffer[], taken: () => void): void
  /** The socket is gone, after the response or before its end. */
  onSocketDestroyed(): void
}

/** Pieces that are shorter than this altogether are joined: copying them is cheaper than records of their own. */
const JOINED = 16_384

const HEAD_END = '\r\n\r\n'

/**
 * What `req.socket` and `res.socket` are: a socket that nobody is connected to, between the ServerResponse and
 * FastCGI. It takes the HTTP/1 response that the ServerResponse writes, and turns its head into that of CGI.
 *
 * All that is special happens here, for Express puts other prototypes below `req` and `res`.
 */
export class RequestSocket extends Socket {
  /** Whether the client came over TLS, as on a TLSSocket. */
  declare readonly encrypted: boolean
  /** Whether the head of the response has been handed on. */
  headSent = false

  readonly #statusFirst: boolean
  readonly #sink: ResponseSink

  /** @param statusFirst where Status stands in the head: see {@link toCgiHead}. */
  constructor(client: Client, statusFirst: boolean, sink: ResponseSink) {
    super({ allowHalfOpen: true })
    // Those of net.Socket are getters that ask the system.
    for (const [name, value] of Object.entries(client))
      Object.defineProperty(this, name, { value, enumerable: true, configurable: true })
    this.#statusFirst = statusFirst
    this.#sink = sink
  }

  // Nothing is read from it: the body goes to the request directly.
  override _read(): void {}

  override _write(
    chunk: string | Buffer,
    encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    this._writev([{ chunk, encoding }], callback)
  }

  override _writev(
    chunks: Array<{ chunk: string | Buffer; encoding: BufferEncoding }>,
    callback: (error?: Error | null) => void,
  ): void {
    if (this.timeout) this.setTimeout(this.timeout)
    const pieces: Buffer[] = []
    let length = 0
    for (const { chunk, encoding } of chunks) {
      const piece = this.headSent ? toBuffer(chunk, encoding) : this.#takeHead(chunk, encoding)
      if (piece.length === 0) continue
      pieces.push(piece)
      length += piece.length
    }
    if (length === 0) callback()
    else {
      const joined =
        pieces.length > 1 && length <= JOINED ? [Buffer.concat(pieces, length)] : pieces
      this.#sink.onOutput(joined, callback)
    }
  }

  override _final(callback: (error?: Error | null) => void): void {
    callback()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#sink.onSocketDestroyed()
    super._destroy(error, callback)
  }

  // A ServerResponse writes the whole head at once, as does writeEarlyHints() with that of a 1xx response.
  #takeHead(chunk: string | Buffer, encoding: BufferEncoding): Buffer {
    const end = chunk.indexOf(HEAD_END)
    if (end === -1) {
      this.destroy(new Error('what was written to the socket is no HTTP response'))
      return Buffer.alloc(0)
    }
    const bodyAt = end + HEAD_END.length
    const head = toCgiHead(chunk.slice(0, bodyAt).toString('latin1'), this.#statusFirst)
    if (head === undefined) return Buffer.alloc(0)
    this.headSent = true
    if (typeof chunk === 'string') return Buffer.from(head + chunk.slice(bodyAt), encoding)
    return Buffer.concat([Buffer.from(head, 'latin1'), chunk.subarray(bodyAt)])
  }
}

function toBuffer(chunk: string | Buffer, encoding: BufferEncoding): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
}
