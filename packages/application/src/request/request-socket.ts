import { Duplex } from 'node:stream'
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
 * What `req.socket` and `res.socket` are: it looks like the socket of a client, and stands between the ServerResponse
 * and FastCGI. It takes the HTTP/1 response that the ServerResponse writes, and turns its head into that of CGI.
 *
 * All that is special happens here, for Express puts other prototypes below `req` and `res`. It is no net.Socket: to
 * make one of those costs more than all the rest of a request.
 */
export class RequestSocket extends Duplex implements Client {
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  readonly remoteFamily: string | undefined
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
  readonly encrypted: boolean
  readonly connecting = false
  readonly pending = false
  /** Milliseconds of `setTimeout`, 0 for none. */
  timeout = 0
  /** Whether the head of the response has been handed on. */
  headSent = false

  readonly #statusFirst: boolean
  readonly #sink: ResponseSink
  #timer: NodeJS.Timeout | undefined

  /** @param statusFirst where Status stands in the head: see {@link toCgiHead}. */
  constructor(client: Client, statusFirst: boolean, sink: ResponseSink) {
    super({ decodeStrings: false })
    this.remoteAddress = client.remoteAddress
    this.remotePort = client.remotePort
    this.remoteFamily = client.remoteFamily
    this.localAddress = client.localAddress
    this.localPort = client.localPort
    this.encrypted = client.encrypted
    this.#statusFirst = statusFirst
    this.#sink = sink
  }

  // ---- what net.Socket has

  /** Emits 'timeout' when nothing has moved for so many milliseconds; 0 ends that. */
  setTimeout(milliseconds: number, callback?: () => void): this {
    this.timeout = milliseconds
    clearTimeout(this.#timer)
    this.#timer =
      milliseconds > 0 ? setTimeout(() => this.emit('timeout'), milliseconds).unref() : undefined
    if (callback !== undefined) this.once('timeout', callback)
    return this
  }

  address(): object {
    const { localAddress: address, localPort: port } = this
    return address === undefined
      ? {}
      : { address, port, family: address.includes(':') ? 'IPv6' : 'IPv4' }
  }

  /** Destroys it when everything has been written. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  // Settings of the connection, which is the web server's.
  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }

  /** Begins anew to wait for the timeout: something has moved. */
  touch(): void {
    this.#timer?.refresh()
  }

  // ---- the stream

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
    this.touch()
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

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.#timer)
    this.#sink.onSocketDestroyed()
    callback(error)
  }

  // A ServerResponse writes the whole head at once, as does writeEarlyHints() with that of a 1xx response.
  #takeHead(chunk: string | Buffer, encoding: BufferEncoding): Buffer {
    const end = chunk.indexOf(HEAD_END)
    if (end === -1) {
      this.destroy(new Error('what was written to the socket is no HTTP response'))
      return EMPTY
    }
    const bodyAt = end + HEAD_END.length
    const head = toCgiHead(chunk.slice(0, bodyAt).toString('latin1'), this.#statusFirst)
    if (head === undefined) return EMPTY
    this.headSent = true
    if (typeof chunk === 'string') return Buffer.from(head + chunk.slice(bodyAt), encoding)
    return Buffer.concat([Buffer.from(head, 'latin1'), chunk.subarray(bodyAt)])
  }
}

const EMPTY = Buffer.alloc(0)

function toBuffer(chunk: string | Buffer, encoding: BufferEncoding): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
}
