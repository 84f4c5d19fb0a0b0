import { Socket, type SocketConstructorOpts } from 'node:net'
import type { Address } from '../address.ts'
import { ReadBuffers } from './read-buffers.ts'

/** What a connection wants to know of its socket. */
export interface SocketEvents {
  /** Bytes came; they are only valid during the call, or until what {@link ApplicationSocket.lend} returned is called. */
  onBytes(chunk: Buffer): void
  /** Writing failed, reading may still bring an answer. */
  onWriteFailed(error: Error): void
}

/**
 * A socket to an application that stays readable when writing fails.
 *
 * An application may answer and close without having read the request (a 413, a lighttpd responder). What we still
 * write then fails with EPIPE or ECONNRESET, and net.Socket would destroy itself, with the answer unread in the
 * kernel's buffer. nginx and Caddy lose such answers.
 */
export class ApplicationSocket extends Socket {
  readonly #events: SocketEvents
  readonly #buffers: ReadBuffers
  #writeFailed = false
  #readAll = false

  constructor(events: SocketEvents) {
    const buffers = new ReadBuffers()
    const options: SocketConstructorOpts & OnRead = {
      onread: {
        buffer: () => buffers.next(),
        callback: (length, buffer) => {
          buffers.filled = length
          events.onBytes(length === buffer.length ? buffer : buffer.subarray(0, length))
          return true
        },
      },
    }
    super(options)
    this.#events = events
    this.#buffers = buffers
  }

  /** Connects; 'connect', 'error' and 'close' tell how it went. */
  open(address: Address, keepAlive: boolean): void {
    if (address.kind === 'unix') this.connect({ path: address.path })
    else {
      // As options of connect() both would be ignored: only the socket's own constructor looks at them.
      this.setNoDelay(true).setKeepAlive(keepAlive, 60_000)
      this.connect({ host: address.host, port: address.port })
    }
  }

  /** Keeps the bytes that just came valid until what is returned is called; undefined where that cannot be. */
  lend(): (() => void) | undefined {
    return this.#buffers.lend()
  }

  /** No response is on its way. */
  rest(): void {
    this.#buffers.leave()
  }

  override destroy(error?: Error): this {
    if (!this.#writeFailed && !this.#readAll && isWriteFailure(error)) {
      this.#writeFailed = true
      this.#events.onWriteFailed(error)
      return this
    }
    this.#buffers?.leave()
    return super.destroy(error)
  }

  // After an error, also one of writing, a stream never says 'end'.
  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    if (chunk === null) {
      this.#readAll = true
      if (this.#writeFailed) super.destroy()
    }
    return super.push(chunk, encoding)
  }
}

interface OnRead {
  onread: { buffer: () => Buffer; callback(length: number, buffer: Buffer): boolean }
}

function isWriteFailure(error: (Error & { syscall?: string }) | undefined): error is Error {
  return error?.syscall === 'write'
}
