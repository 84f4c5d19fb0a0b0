/** An application that answers every request with a mutated response. */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { type MutatedStream, mutatedStreams } from './streams.ts'

/** How long a connection stays open that is not closed; the gateway gives it up sooner. */
const STAY = 5000

export class MutatedApplication {
  readonly address: string
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #streams: Generator<MutatedStream, never>

  private constructor(path: string, seed: number) {
    this.address = `unix:${path}`
    this.#streams = mutatedStreams(seed)
    this.#server = createServer((socket) => this.#accept(socket))
  }

  static async start(path: string, seed: number): Promise<MutatedApplication> {
    const application = new MutatedApplication(path, seed)
    await once(application.#server.listen(path), 'listening')
    return application
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    socket.setTimeout(STAY, () => socket.destroy())
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('data', () => void this.#answer(socket))
  }

  /** Answers whatever comes, a piece in each turn. */
  async #answer(socket: Socket): Promise<void> {
    const { pieces, then } = this.#streams.next().value
    for (const piece of pieces) {
      if (socket.destroyed) return
      socket.write(piece)
      await new Promise(setImmediate)
    }
    if (then === 'close') socket.end()
    if (then === 'reset') socket.destroy()
  }
}
