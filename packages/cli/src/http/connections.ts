// The connections of a server, so that it can end without a request being lost.
import type { RequestListener, Server } from 'node:http'
import type { Http2SecureServer, Http2Session } from 'node:http2'
import { Server as NetServer, type Socket } from 'node:net'
import { Server as TLSServer, type TLSSocket } from 'node:tls'

/** The servers that `fastcgi serve` uses. */
export type AnyServer = Server | Http2SecureServer

/** Knows the connections of a server, and ends them. */
export class Connections {
  /** Sockets of HTTP/1, each with the number of its running requests. */
  readonly #sockets = new Map<Socket, number>()
  readonly #sessions = new Set<Http2Session>()
  #ending = false
  #closesIdle = false

  /** Counts the requests of a handler. Once the server ends, each response says that its connection ends, too. */
  count(handler: RequestListener): RequestListener {
    return (req, res) => {
      if (req.httpVersionMajor === 1) {
        const { socket } = req
        this.#sockets.set(socket, (this.#sockets.get(socket) ?? 0) + 1)
        if (this.#ending && !res.headersSent) res.setHeader('Connection', 'close')
        res.once('close', () => this.#finished(socket))
      }
      handler(req, res)
    }
  }

  /** Follows the connections of a server. */
  watch(server: AnyServer): void {
    const isSecure = server instanceof TLSServer
    server.on(isSecure ? 'secureConnection' : 'connection', (socket: Socket | TLSSocket) => {
      if ('alpnProtocol' in socket && socket.alpnProtocol === 'h2') return
      this.#sockets.set(socket, 0)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    server.on('session', (session: Http2Session) => {
      this.#sessions.add(session)
      session.once('close', () => this.#sessions.delete(session))
    })
  }

  /**
   * Accepts no more connections; resolves when the last one has ended.
   * @param closesIdle whether idle connections are closed at once. If not, the next request of each is still answered, so
   * that none is lost that the client is just sending; they end by their keep-alive timeout.
   */
  end(server: AnyServer, closesIdle: boolean): Promise<void> {
    this.#ending = true
    this.#closesIdle = closesIdle
    // The close() of node:http would also close idle connections, on which a request may be about to arrive.
    const closed = new Promise<void>((resolve) => {
      NetServer.prototype.close.call(server, () => resolve())
    })
    for (const session of this.#sessions) session.close()
    if (closesIdle) this.#closeIdle()
    return closed
  }

  /** Breaks off all connections. */
  destroy(): void {
    for (const session of this.#sessions) session.destroy()
    for (const socket of this.#sockets.keys()) socket.destroy()
  }

  #finished(socket: Socket): void {
    const running = (this.#sockets.get(socket) ?? 1) - 1
    if (this.#sockets.has(socket)) this.#sockets.set(socket, running)
    if (this.#closesIdle && running === 0) socket.end()
  }

  #closeIdle(): void {
    for (const [socket, running] of this.#sockets) if (running === 0) socket.destroy()
  }
}
