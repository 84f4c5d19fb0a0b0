import type { Socket } from 'node:net'
import { markCheckPhase, polledSince } from '../exchange/check-phase.ts'

/** Milliseconds in which a worker of php-fpm closes its side after a plain script. */
const SOON = 2

/**
 * The end of a kept connection: a FIN is sent after the last response, and the time until the application closes its side
 * is measured. An application that serves one connection at a time reads the FIN when it looks for the next request, so
 * this is the time that a next request would have waited.
 */
export class HalfClose {
  readonly #since: number
  readonly #timer: NodeJS.Timeout
  readonly #phase: number

  /**
   * @param since performance.now() of the last response.
   * @param timeout milliseconds after which `onTimeout` is called, for an application that does not close its side.
   */
  constructor(socket: Socket, since: number, timeout: number, onTimeout: () => void) {
    this.#since = since
    this.#phase = markCheckPhase()
    // Nobody waits for the connection any more, so neither it nor the timer keeps the process running.
    socket.unref().end()
    this.#timer = setTimeout(onTimeout, timeout).unref()
  }

  /**
   * Milliseconds until now, when the application has closed its side; NaN if that is not known. A process that is
   * busy polls its sockets late, and would take its own delay for work of the script. So what was closed when the sockets
   * were first polled counts only if that was soon.
   */
  elapsed(): number {
    const elapsed = performance.now() - this.#since
    return polledSince(this.#phase) || elapsed < SOON ? elapsed : Number.NaN
  }

  /** Stops the timeout. */
  stop(): void {
    clearTimeout(this.#timer)
  }
}
