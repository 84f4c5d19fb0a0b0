// The socket of a request: takes the HTTP/1 response of a ServerResponse and turns it into a CGI response.
import { Duplex } from 'node:stream'
import type { Client } from './request-head.ts'
import { toCgiHead } from './response-head.ts'

/** Receives the response. */
export interface ResponseSink {
  /** A part of a CGI response; `callback` is called when more is accepted. */
  onOutput(chunks: Buffer[], callback: () => void): void
  /** The socket was destroyed, before or after the end of the response. */
  onSocketDestroyed(): void
}

/** Buffers of up to this size together, in bytes, are concatenated: copying them costs less than a record for each. */
const JOIN_LIMIT = 16_384

const HEAD_END = '\r\n\r\n'

/**
 * `req.socket` and `res.socket`. It looks like the socket of an HTTP client. It takes the HTTP/1 response that the
 * ServerResponse writes, turns the head into that of a CGI response, and passes on the body.
 *
 * The conversion happens here, not in a subclass of ServerResponse, because Express replaces the prototypes of `req` and
 * `res`. It is a Duplex, not a net.Socket: creating one of those costs more than all the rest of a request.
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
  /** Timeout in milliseconds, 0 for none; see setTimeout(). */
  timeout = 0
  /** Whether the head of the response has been passed on. */
  headSent = false

  readonly #statusFirst: boolean
  readonly #sink: ResponseSink
  #timer: NodeJS.Timeout | undefined

  /** @param statusFirst whether Status is the first field of the head: see {@link toCgiHead}. */
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

  // ---- members of net.Socket

  /** Emits 'timeout' after that many milliseconds without activity; 0 turns it off. */
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

  /** Destroys the socket after everything has been written. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  // Options of a TCP connection, which have no meaning here.
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

  /** Restarts the timeout, because there was activity. */
  refreshTimeout(): void {
    this.#timer?.refresh()
  }

  // ---- the stream

  // Nothing is read from it: the body is pushed into the request directly.
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
    this.refreshTimeout()
    const buffers: Buffer[] = []
    let length = 0
    for (const { chunk, encoding } of chunks) {
      const buffer = this.headSent ? toBuffer(chunk, encoding) : this.#convertHead(chunk, encoding)
      if (buffer.length === 0) continue
      buffers.push(buffer)
      length += buffer.length
    }
    if (length === 0) callback()
    else {
      const joined =
        buffers.length > 1 && length <= JOIN_LIMIT ? [Buffer.concat(buffers, length)] : buffers
      this.#sink.onOutput(joined, callback)
    }
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.#timer)
    this.#sink.onSocketDestroyed()
    callback(error)
  }

  // A ServerResponse writes a whole head in one chunk; so does writeEarlyHints() with the head of a 1xx response.
  #convertHead(chunk: string | Buffer, encoding: BufferEncoding): Buffer {
    const end = chunk.indexOf(HEAD_END)
    if (end === -1) {
      this.destroy(new Error('the data written to the socket is not an HTTP response'))
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
