import type { ListenSockets } from '../sockets/listen-sockets.ts'
import type { ParkedSocket } from '../sockets/parking.ts'

/** The listening socket of a process, which outlives its children. */
export class ProcessSocket {
  readonly #sockets: ListenSockets
  readonly #number: number
  #socket: ParkedSocket | undefined

  constructor(sockets: ListenSockets, number: number) {
    this.#sockets = sockets
    this.#number = number
  }

  /** Its file descriptor; -1 if it is not open. */
  get fd(): number {
    return this.#socket?.fd ?? -1
  }

  /** Whether it is open. */
  get open(): boolean {
    return this.#socket !== undefined
  }

  /** Whether it is open, and can be connected to by its address. */
  get intact(): boolean {
    return this.#socket?.intact === true
  }

  /** Opens it, unless it is intact. Resolves with the error if that fails. */
  async ensure(): Promise<Error | undefined> {
    if (this.intact) return undefined
    await this.close()
    try {
      this.#socket = await this.#sockets.open(this.#number)
      return undefined
    } catch (error) {
      return error as Error
    }
  }

  /** Closes it, which resets the connections that no child has accepted, unless a child still has it. */
  async close(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    await socket?.close()
  }
}
