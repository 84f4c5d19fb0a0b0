/** A request, as a scripted application sees it. */
import { KEEP_CONN } from '@fastcgi/protocol'

/** The client closed the connection; ends a script that still waits for something on it. */
export class Gone extends Error {}

/** One stream of a request. */
class PeerStream {
  /** Bytes so far. */
  length = 0
  /** Whether its empty record came. */
  ended = false

  #chunks: Buffer[] = []
  #onChunk: ((chunk: Buffer) => void) | undefined
  #onFinished: Array<() => void> = []
  #closed = false

  /** The whole of it; rejects when the connection closes before its end. */
  async whole(name: string): Promise<Buffer> {
    if (!this.ended && !this.#closed)
      await new Promise<void>((resolve) => this.#onFinished.push(resolve))
    if (!this.ended) throw new Gone(`connection closed inside ${name}`)
    return Buffer.concat(this.#chunks)
  }

  /** Hands it on as it comes, what came before included. */
  onChunk(take: (chunk: Buffer) => void): void {
    this.#onChunk = take
    for (const chunk of this.#chunks.splice(0)) take(chunk)
  }

  /** A piece came. */
  push(chunk: Buffer): void {
    this.length += chunk.length
    if (this.#onChunk === undefined) this.#chunks.push(chunk)
    else this.#onChunk(chunk)
  }

  /** Its end came. */
  finish(): void {
    this.ended = true
    this.close()
  }

  /** Nothing more comes. */
  close(): void {
    this.#closed = true
    for (const resolve of this.#onFinished.splice(0)) resolve()
  }
}

/** One request, as the application sees it. */
export class PeerRequest {
  readonly id: number
  readonly role: number
  readonly flags: number
  readonly params: Record<string, string> = {}
  /** The params in latin1: one character per byte. */
  readonly bytes: Record<string, string> = {}
  readonly streams = { stdin: new PeerStream(), data: new PeerStream() }
  /** Whether ABORT_REQUEST came. */
  isAborted = false
  /** Resolves when ABORT_REQUEST comes. */
  readonly aborted: Promise<void>

  #onAborted!: () => void

  constructor(id: number, begin: Buffer) {
    this.id = id
    this.role = begin.readUInt16BE(0)
    this.flags = begin.readUInt8(2)
    this.aborted = new Promise((resolve) => {
      this.#onAborted = resolve
    })
  }

  get keepConnection(): boolean {
    return (this.flags & KEEP_CONN) !== 0
  }

  /** Bytes of STDIN so far. */
  get stdinLength(): number {
    return this.streams.stdin.length
  }

  /** Whether STDIN's empty record came. */
  get stdinEnded(): boolean {
    return this.streams.stdin.ended
  }

  /** The whole of STDIN; rejects when the connection closes, or the request is aborted, before its end. */
  stdin(): Promise<Buffer> {
    return this.streams.stdin.whole('STDIN')
  }

  /** The whole of DATA, likewise. */
  data(): Promise<Buffer> {
    return this.streams.data.whole('DATA')
  }

  /** Hands STDIN on as it comes, what came before included. */
  onStdin(take: (chunk: Buffer) => void): void {
    this.streams.stdin.onChunk(take)
  }

  /** ABORT_REQUEST came. */
  abort(): void {
    this.isAborted = true
    this.close()
    this.#onAborted()
  }

  /** Nothing more comes. */
  close(): void {
    this.streams.stdin.close()
    this.streams.data.close()
  }
}
