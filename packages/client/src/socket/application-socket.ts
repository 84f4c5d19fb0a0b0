// The socket under a connection: keeps a response readable after a write error, and reads into reused buffers.
import { Socket, type SocketConstructorOpts } from 'node:net'
import type { Address } from '../address.ts'
import { ReadBuffers } from './read-buffers.ts'
import type { TLSClient } from './tls-client.ts'
import { type WriteEvents, WriteFailure } from './write-failure.ts'

/** Receives what happens on an {@link ApplicationSocket} beyond the events of net.Socket. */
export interface SocketEvents extends WriteEvents {
  /** The connection is established, with TLS after the handshake. */
  onOpen(): void
  /** Data was read. The chunk is valid only during the call, unless it is lent; see {@link ApplicationSocket.lend}. */
  onBytes(chunk: Buffer): void
}

/** A socket to an application that stays readable after a write error; see {@link WriteFailure}. */
export interface ApplicationSocket extends Socket {
  /** Lends the buffer of the last read until the returned function is called; undefined when the buffer is shared. */
  lend(): (() => void) | undefined
  /** Gives the socket's own read buffer back when no response is expected; the next read uses the shared one. */
  releaseBuffer(): void
}

/** Milliseconds of silence before a keep-alive probe. */
const KEEP_ALIVE_DELAY = 60_000

/** Connects to an address; calls `onOpen`, or emits 'error' and 'close'. */
export function openPlain(
  address: Address,
  keepAlive: boolean,
  events: SocketEvents,
): ApplicationSocket {
  const socket = new PlainSocket(events)
  socket.once('connect', () => events.onOpen())
  if (address.kind === 'unix') socket.connect({ path: address.path })
  else {
    // connect() ignores the options noDelay and keepAlive; only the constructor of net.Socket reads them.
    socket.setNoDelay(true).setKeepAlive(keepAlive, KEEP_ALIVE_DELAY)
    socket.connect({ host: address.host, port: address.port })
  }
  return socket
}

class PlainSocket extends Socket implements ApplicationSocket {
  readonly #buffers: ReadBuffers
  readonly #failure: WriteFailure

  constructor(events: SocketEvents) {
    const buffers = new ReadBuffers()
    super(readInto(buffers, events))
    this.#buffers = buffers
    this.#failure = new WriteFailure(events)
  }

  lend(): (() => void) | undefined {
    return this.#buffers.lend()
  }

  releaseBuffer(): void {
    this.#buffers.release()
  }

  override destroy(error?: Error): this {
    // The constructor of net.Socket may call it.
    if (this.#failure?.isFirst(error)) return this
    this.#buffers?.release()
    return super.destroy(error)
  }

  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    if (chunk === null && this.#failure.isOverAtEnd()) super.destroy()
    return super.push(chunk, encoding)
  }
}

/**
 * As {@link openPlain}, with TLS. The methods are those of PlainSocket: only tls.connect() verifies certificates, and it
 * makes no objects of a subclass.
 */
export function openSecure(
  tls: TLSClient,
  keepAlive: boolean,
  events: SocketEvents,
): ApplicationSocket {
  const buffers = new ReadBuffers()
  const failure = new WriteFailure(events)
  const socket = tls.connect(readInto(buffers, events))
  socket.setNoDelay(true).setKeepAlive(keepAlive, KEEP_ALIVE_DELAY)
  socket.once('secureConnect', () => events.onOpen())
  const destroy = socket.destroy.bind(socket)
  const push = socket.push.bind(socket)
  return Object.assign(socket, {
    lend: () => buffers.lend(),
    releaseBuffer: () => buffers.release(),
    destroy(error?: Error) {
      if (failure.isFirst(error)) return socket
      buffers.release()
      return destroy(error)
    },
    push(chunk: unknown, encoding?: BufferEncoding) {
      if (chunk === null && failure.isOverAtEnd()) destroy()
      return push(chunk, encoding)
    },
  })
}

interface OnRead {
  onread: { buffer: () => Buffer; callback(length: number, buffer: Buffer): boolean }
}

/** Options of a socket that reads into `buffers`. */
function readInto(buffers: ReadBuffers, events: SocketEvents): SocketConstructorOpts & OnRead {
  return {
    onread: {
      buffer: () => buffers.next(),
      callback: (length, buffer) => {
        buffers.filled = length
        events.onBytes(length === buffer.length ? buffer : buffer.subarray(0, length))
        return true
      },
    },
  }
}
