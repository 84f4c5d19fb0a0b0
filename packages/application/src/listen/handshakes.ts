import type { Socket } from 'node:net'
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls'

/** Receives the results of handshakes. */
export interface HandshakeEvents {
  onSecure(socket: TLSSocket): void
  /** The handshake failed or timed out; the socket is closed. */
  onFailed(error: Error, socket: TLSSocket): void
}

/** TLS handshakes of accepted connections. A `tls.Server` that does not listen does them: it is given the sockets. */
export class Handshakes {
  readonly #server: Server
  /** By peer: a tls.Server does not say which accepted socket has become which secure one. */
  readonly #running = new Map<string, Socket>()

  /** @param timeout of a handshake in milliseconds; 0 for no limit. */
  constructor(options: SecureContextOptions, timeout: number, events: HandshakeEvents) {
    this.#server = createServer({
      ...options,
      requestCert: options.ca !== undefined,
      rejectUnauthorized: options.ca !== undefined,
      handshakeTimeout: timeout || MAX_TIMER,
      // A web server may close its sending side before it has read the response.
      allowHalfOpen: true,
      noDelay: true,
    })
    this.#server.on('secureConnection', (socket) => {
      this.#running.delete(peerOf(socket))
      events.onSecure(socket)
    })
    this.#server.on('tlsClientError', (error, socket) => {
      events.onFailed(error, socket)
      socket.destroy()
    })
  }

  /** Begins the handshake of an accepted connection. */
  start(socket: Socket): void {
    const peer = peerOf(socket)
    this.#running.set(peer, socket)
    socket.once('close', () => {
      if (this.#running.get(peer) === socket) this.#running.delete(peer)
    })
    this.#server.emit('connection', socket)
  }

  /** Closes the connections whose handshake has not ended. */
  stop(): void {
    for (const socket of [...this.#running.values()]) socket.destroy()
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}

const MAX_TIMER = 2_147_483_647
