/** A FastCGI application that does what it is told, also what no real one does. */
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  decodeNameValues,
  encodeNameValues,
  type RecordHandler,
  RecordReader,
  RecordType,
} from '@fastcgi/protocol'
import { type Content, endRecord, record, response } from './peer-records.ts'
import { Gone, PeerRequest } from './peer-request.ts'

export { type Content, endRecord, record, response, stdoutRecords } from './peer-records.ts'
export { Gone, PeerRequest } from './peer-request.ts'

/** What happens on one connection. The connection stays open when it returns. */
export type Script = (connection: PeerConnection) => Promise<void> | void

export interface PeerOptions {
  /** `unix` (a socket in a directory of its own) or `tcp` (a free port on loopback). */
  listen?: 'unix' | 'tcp' | undefined
  /** A port of loopback that must be it. */
  port?: number | undefined
  /** What FCGI_GET_VALUES is answered with; without them not at all. */
  values?: Readonly<Record<string, string>> | undefined
}

/** Starts an application that runs `script` on every connection. */
export async function startPeer(script: Script, options: PeerOptions = {}): Promise<Peer> {
  const peer = new Peer(script, options.values)
  const { port, listen = port || process.platform === 'win32' ? 'tcp' : 'unix' } = options
  await peer.listen(listen, port)
  return peer
}

/** A script that answers every request of a connection with the same function, one after the other. */
export function eachRequest(
  answer: (request: PeerRequest, connection: PeerConnection) => Promise<void> | void,
): Script {
  return async (connection) => {
    for (;;) await answer(await connection.request(), connection)
  }
}

/** A script that answers requests as they come, any number at a time. */
export function allAtOnce(
  answer: (request: PeerRequest, connection: PeerConnection) => Promise<void> | void,
): Script {
  return async (connection) => {
    let fail: (error: unknown) => void = () => {}
    const failed = new Promise<never>((_, reject) => {
      fail = reject
    })
    const run = async (request: PeerRequest): Promise<void> => {
      try {
        await answer(request, connection)
      } catch (error) {
        if (!(error instanceof Gone)) fail(error)
      }
    }
    for (;;) void run(await Promise.race([connection.request(), failed]))
  }
}

/** Answers every request once its STDIN has ended, and closes where KEEP_CONN says so. */
export function wellBehaved(body: (request: PeerRequest) => Content = () => 'ok'): Script {
  return eachRequest(async (request, connection) => {
    await request.stdin()
    connection.write(response(body(request)), endRecord())
    if (!request.keepConnection) connection.finish()
  })
}

/** The application. */
export class Peer {
  /** Where it listens, as an upstream. */
  address = ''
  /** All connections so far, in the order they came. */
  readonly connections: PeerConnection[] = []
  /** All requests so far, in the order their params were complete. */
  readonly requests: PeerRequest[] = []

  /** How often it was asked for values. */
  asked = 0

  readonly #script: Script
  readonly #values: Readonly<Record<string, string>> | undefined
  readonly #server: Server
  readonly #failures: unknown[] = []
  #directory: string | undefined

  constructor(script: Script, values?: Readonly<Record<string, string>>) {
    this.#script = script
    this.#values = values
    this.#server = createServer((socket) => this.#accept(socket))
  }

  async listen(kind: 'unix' | 'tcp', port = 0): Promise<void> {
    if (kind === 'unix') this.#directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
    const path = this.#directory === undefined ? undefined : join(this.#directory, 's')
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      if (path !== undefined) this.#server.listen(path, resolve)
      else this.#server.listen(port, '127.0.0.1', resolve)
    })
    this.address =
      path === undefined
        ? `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
        : `unix:${path}`
  }

  /** How many connections are open. */
  get open(): number {
    return this.connections.filter((connection) => !connection.isClosed).length
  }

  /** Takes no more connections: they are refused, or the socket is no longer there. */
  async stopListening(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.close()
  }

  /** Resolves when all sockets are gone; rejects with what a script threw. */
  async close(): Promise<void> {
    await this.stopListening()
    for (const connection of this.connections) connection.destroy()
    await Promise.all(this.connections.map((connection) => connection.closed))
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true })
    if (this.#failures.length > 0) throw this.#failures[0]
  }

  #accept(socket: Socket): void {
    const connection = new PeerConnection(socket, this.connections.length, this.requests)
    this.connections.push(connection)
    connection.onAsked = (names) => this.#answer(connection, names)
    const run = async () => this.#script(connection)
    run().catch((error) => {
      if (!(error instanceof Gone)) this.#failures.push(error)
    })
  }

  #answer(connection: PeerConnection, names: readonly string[]): void {
    this.asked++
    const known = Object.entries(this.#values ?? {}).filter(([name]) => names.includes(name))
    if (this.#values !== undefined)
      connection.write(record(RecordType.GET_VALUES_RESULT, encodeNameValues(known), { id: 0 }))
  }
}

/** One connection, as the application sees it. */
export class PeerConnection {
  /** 0 for the first connection of the peer. */
  readonly index: number
  readonly socket: Socket
  /** Resolves when the connection is gone, whoever closed it. */
  readonly closed: Promise<void>
  /** Request ids in all records that came. */
  readonly ids = new Set<number>()
  isClosed = false
  /** Called with the names that GET_VALUES asks for. */
  onAsked: ((names: readonly string[]) => void) | undefined

  readonly #requests: PeerRequest[] = []
  readonly #waiting: Array<{ resolve(request: PeerRequest): void; reject(error: Error): void }> = []
  /** Those that have begun, by their ids. */
  readonly #begun = new Map<number, PeerRequest>()

  constructor(socket: Socket, index: number, all: PeerRequest[]) {
    this.index = index
    this.socket = socket
    socket.setNoDelay(true)
    const reader = new RecordReader(this.#handler(all))
    socket.on('data', (chunk) => reader.push(chunk))
    // EPIPE and ECONNRESET are what many scripts are for; 'close' follows.
    socket.on('error', () => {})
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.isClosed = true
        for (const waiting of this.#waiting.splice(0)) waiting.reject(new Gone('connection closed'))
        for (const request of this.#begun.values()) request.close()
        resolve()
      })
    })
  }

  /** The next request, as soon as its params are complete. */
  request(): Promise<PeerRequest> {
    const request = this.#requests.shift()
    if (request !== undefined) return Promise.resolve(request)
    if (this.isClosed) return Promise.reject(new Gone('connection closed'))
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** Sends bytes as they are. False when they wait for the client to read. */
  write(...parts: Content[]): boolean {
    return this.socket.write(Buffer.concat(parts.map((part) => Buffer.from(part))))
  }

  /** Sends bytes in pieces, each in a write that has left before the next begins. */
  async writeSlowly(pieces: Iterable<Content>): Promise<void> {
    for (const piece of pieces) {
      await new Promise<void>((resolve) => this.socket.write(piece, () => resolve()))
      await new Promise(setImmediate)
    }
  }

  stdout(content: Content): boolean {
    return this.write(record(RecordType.STDOUT, content))
  }

  stderr(content: Content): boolean {
    return this.write(record(RecordType.STDERR, content))
  }

  /** END_REQUEST. */
  end(appStatus = 0, protocolStatus = 0): boolean {
    return this.write(endRecord(appStatus, protocolStatus))
  }

  /** Closes after what has been written. */
  finish(): void {
    this.socket.end()
  }

  /** Closes at once. */
  destroy(): void {
    this.socket.destroy()
  }

  /** Closes with a reset; a unix socket knows none and just closes. */
  reset(): void {
    if (this.socket.remoteAddress !== undefined) this.socket.resetAndDestroy()
    else this.socket.destroy()
  }

  /** Reads no more. */
  stall(): void {
    this.socket.pause()
  }

  /** Reads on. */
  unstall(): void {
    this.socket.resume()
  }

  #handler(all: PeerRequest[]): RecordHandler {
    const params = new Map<number, Buffer[]>()
    return {
      onStream: (type, id, chunk) => {
        this.ids.add(id)
        const request = this.#begun.get(id)
        if (type === RecordType.PARAMS) params.get(id)?.push(Buffer.from(chunk))
        else if (type === RecordType.STDIN) request?.streams.stdin.push(Buffer.from(chunk))
        else if (type === RecordType.DATA) request?.streams.data.push(Buffer.from(chunk))
      },
      onStreamEnd: (type, id) => {
        this.ids.add(id)
        const request = this.#begun.get(id)
        if (type === RecordType.STDIN) request?.streams.stdin.finish()
        if (type === RecordType.DATA) request?.streams.data.finish()
        if (type !== RecordType.PARAMS || request === undefined) return
        const block = Buffer.concat(params.get(id) ?? [])
        for (const [name, value] of decodeNameValues(block)) request.params[name] = value
        for (const [name, value] of decodeNameValues(block, 'latin1')) request.bytes[name] = value
        all.push(request)
        const waiting = this.#waiting.shift()
        if (waiting === undefined) this.#requests.push(request)
        else waiting.resolve(request)
      },
      onMessage: (type, id, content) => {
        this.ids.add(id)
        if (type === RecordType.GET_VALUES && content.length > 0)
          this.onAsked?.(decodeNameValues(content).map(([name]) => name))
        if (type === RecordType.ABORT_REQUEST) this.#begun.get(id)?.abort()
        if (type !== RecordType.BEGIN_REQUEST) return
        this.#begun.set(id, new PeerRequest(id, content))
        params.set(id, [])
      },
    }
  }
}
