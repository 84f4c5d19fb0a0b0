// Ends a server without a request being lost.
import { type RequestListener, Server } from 'node:http'
import type { Http2SecureServer, Http2Session } from 'node:http2'
import { Server as NetServer } from 'node:net'

/** The servers that `fastcgi serve` uses. That of HTTP/2 has connections of HTTP/1.1, too. */
export type AnyServer = Server | Http2SecureServer

/** Milliseconds between two looks for connections that have become idle. */
const INTERVAL = 50

/** Knows the connections of a server, and ends them. */
export class Connections {
  readonly #sessions = new Set<Http2Session>()
  #ending = false

  /** Wraps a handler: once the server ends, each response of HTTP/1.1 says that its connection ends, too. */
  follow(handler: RequestListener): RequestListener {
    return (req, res) => {
      if (this.#ending && req.httpVersionMajor === 1 && !res.headersSent)
        res.setHeader('Connection', 'close')
      handler(req, res)
    }
  }

  /** Follows the sessions of HTTP/2. */
  watch(server: AnyServer): void {
    server.on('session', (session: Http2Session) => {
      this.#sessions.add(session)
      session.once('close', () => this.#sessions.delete(session))
    })
  }

  /**
   * Accepts no more connections; resolves when the last one has ended.
   * @param closesIdle whether idle connections are closed. If not, the next request of each is still answered, so that none is
   * lost that the client is just sending; they end by their keep-alive timeout.
   */
  async end(server: AnyServer, closesIdle: boolean): Promise<void> {
    this.#ending = true
    // The close() of node:http would also close idle connections, on which a request may be about to arrive.
    const closed = new Promise<void>((resolve) => {
      NetServer.prototype.close.call(server, () => resolve())
    })
    for (const session of this.#sessions) session.close()
    const closeIdle = (): void => Server.prototype.closeIdleConnections.call(server)
    if (closesIdle) closeIdle()
    const timer = closesIdle ? setInterval(closeIdle, INTERVAL) : undefined
    await closed
    clearInterval(timer)
  }

  /** Breaks off all connections. */
  destroy(server: AnyServer): void {
    for (const session of this.#sessions) session.destroy()
    Server.prototype.closeAllConnections.call(server)
  }
}
