// The socket under a connection: keeps a response readable after a write error, and reads into reused buffers.
import { Socket, type SocketConstructorOpts } from 'node:net'
import type { Address } from '../address.ts'
import { ReadBuffers } from './read-buffers.ts'

/** Events of an {@link ApplicationSocket} beyond those of net.Socket. */
export interface SocketEvents {
  /** Data was read. The chunk is valid only during the call, unless it is lent; see {@link ApplicationSocket.lend}. */
  onBytes(chunk: Buffer): void
  /** Writing failed; a response may still be read. */
  onWriteFailed(error: Error): void
}

/**
 * A socket to an application that stays readable after a write error.
 *
 * An application may send its response and close the connection without reading the whole request (for instance a 413).
 * Further writes then fail with EPIPE or ECONNRESET, upon which net.Socket destroys itself, and the response in the
 * kernel's receive buffer is lost, as it is with nginx and Caddy. This class ignores the first write error and reads
 * until the end of the stream.
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

  /** Connects; emits 'connect', or 'error' and 'close'. */
  open(address: Address, keepAlive: boolean): void {
    if (address.kind === 'unix') this.connect({ path: address.path })
    else {
      // connect() ignores the options noDelay and keepAlive; only the constructor of net.Socket reads them.
      this.setNoDelay(true).setKeepAlive(keepAlive, 60_000)
      this.connect({ host: address.host, port: address.port })
    }
  }

  /** Lends the buffer of the last read until the returned function is called; undefined when the buffer is shared. */
  lend(): (() => void) | undefined {
    return this.#buffers.lend()
  }

  /** Gives the socket's own read buffer back when no response is expected; the next read uses the shared one. */
  releaseBuffer(): void {
    this.#buffers.release()
  }

  override destroy(error?: Error): this {
    if (!this.#writeFailed && !this.#readAll && isWriteFailure(error)) {
      this.#writeFailed = true
      this.#events.onWriteFailed(error)
      return this
    }
    this.#buffers?.release()
    return super.destroy(error)
  }

  // After a write error the stream does not emit 'end', so the end of the data destroys the socket here.
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
