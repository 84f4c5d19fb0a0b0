/** Receives a write error. */
export interface WriteEvents {
  /** Writing failed; a response may still be read. */
  onWriteFailed(error: Error): void
}

/**
 * Keeps a socket readable after a write error.
 *
 * An application may send its response and close the connection without reading the whole request (for instance a 413).
 * Further writes then fail with EPIPE or ECONNRESET, upon which net.Socket destroys itself, and the response in the
 * kernel's receive buffer is lost, as it is with nginx and Caddy. So the first write error is ignored, and the socket is
 * read until the end of the stream.
 */
export class WriteFailure {
  readonly #events: WriteEvents
  #happened = false
  #readAll = false

  constructor(events: WriteEvents) {
    this.#events = events
  }

  /** Whether destroy() is called because of the first write error, and the socket is to live on. */
  isFirst(error: (Error & { syscall?: string }) | undefined): boolean {
    if (this.#happened || this.#readAll || error?.syscall !== 'write') return false
    this.#happened = true
    this.#events.onWriteFailed(error)
    return true
  }

  /** Called at the end of the data. Returns whether that destroys the socket: after a write error it emits no 'end'. */
  isOverAtEnd(): boolean {
    this.#readAll = true
    return this.#happened
  }
}
