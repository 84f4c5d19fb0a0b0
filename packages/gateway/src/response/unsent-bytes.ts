import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { http2Stream, isHttp2 } from '../request/http-version.ts'

/** The handle of a net.Socket. There is no public counter for how much of one large write the system has taken. */
interface SocketHandle {
  /** Bytes of a write that the system has not taken yet. */
  readonly writeQueueSize?: number
  /** The handle of the connection under a TLS socket. */
  readonly _parent?: SocketHandle
}

/** Counters of one look. */
interface Look {
  /** Bytes of the response that wait in this process. */
  readonly waiting: number
  /** Grows whenever a write is complete. */
  readonly complete: number
  /** Bytes of the current write that the system has not taken yet. */
  readonly queued: number
}

/** The bytes of a response that wait for its client, and for how long the client has taken none of them. */
export class UnsentBytes {
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  /** performance.now() of the first look since which the client has taken nothing; undefined while it takes bytes. */
  #stalledSince: number | undefined
  #last: Look = { waiting: 0, complete: 0, queued: 0 }
  #drains = 0

  constructor(req: IncomingMessage, res: ServerResponse) {
    this.#req = req
    this.#res = res
    // HTTP/2 streams and plain Duplex streams do not count what has been written.
    if (isHttp2(req) || !(req.socket instanceof Socket))
      res.on('drain', () => {
        this.#drains++
      })
  }

  /** Looks at the counters; returns for how many milliseconds the client has taken nothing although bytes wait. */
  stalledFor(now: number): number {
    const last = this.#last
    const look = this.#look()
    this.#last = look
    const moved = look.complete !== last.complete || look.queued < last.queued
    if (moved || look.waiting === 0) this.#stalledSince = undefined
    else this.#stalledSince ??= now
    return now - (this.#stalledSince ?? now)
  }

  #look(): Look {
    const { socket } = this.#res
    const stream = http2Stream(this.#req)
    if (stream !== undefined) {
      const { writableLength } = stream
      return { waiting: writableLength, complete: this.#drains, queued: writableLength }
    }
    // Without a socket the response waits for the one before it on the connection, not for the client.
    if (socket === null) return { waiting: 0, complete: 0, queued: 0 }
    const waiting = this.#res.writableLength
    if (!(socket instanceof Socket)) return { waiting, complete: this.#drains, queued: waiting }
    const complete = socket.bytesWritten - socket.writableLength
    return { waiting, complete, queued: queuedBytes(socket) }
  }
}

function queuedBytes(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: SocketHandle | null }
  return (handle?.writeQueueSize ?? 0) + (handle?._parent?.writeQueueSize ?? 0)
}
