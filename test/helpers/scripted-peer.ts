/** A FastCGI application that does what it is told, also what no real one does. */
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  decodeNameValues,
  KEEP_CONN,
  type RecordHandler,
  RecordReader,
  RecordType,
} from '@fastcgi/protocol'

/** What happens on one connection. The connection stays open when it returns. */
export type Script = (connection: PeerConnection) => Promise<void> | void

export interface PeerOptions {
  /** `unix` (a socket in a directory of its own) or `tcp` (a free port on loopback). */
  listen?: 'unix' | 'tcp' | undefined
}

/** Content of a record. */
export type Content = string | Uint8Array

/** The bytes of one record; nothing is checked, lengths apart. */
export function record(
  type: number,
  content: Content = '',
  { id = 1, padding = 0, version = 1 } = {},
): Buffer {
  const bytes = Buffer.from(content)
  const header = Buffer.from([version, type, 0, 0, 0, 0, padding, 0])
  header.writeUInt16BE(id, 2)
  header.writeUInt16BE(bytes.length, 4)
  return Buffer.concat([header, bytes, Buffer.alloc(padding)])
}

/** The bytes of an END_REQUEST. */
export function endRecord(appStatus = 0, protocolStatus = 0): Buffer {
  const content = Buffer.alloc(8)
  content.writeUInt32BE(appStatus)
  content[4] = protocolStatus
  return record(RecordType.END_REQUEST, content)
}

/** STDOUT of any length, cut into records. */
export function stdoutRecords(content: Content): Buffer {
  const bytes = Buffer.from(content)
  const records: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 65_528)
    records.push(record(RecordType.STDOUT, bytes.subarray(at, at + 65_528)))
  return Buffer.concat(records)
}

/** A whole response with a head of one field. */
export function response(body: Content = 'ok'): Buffer {
  return Buffer.concat([stdoutRecords('Content-Type: text/plain\r\n\r\n'), stdoutRecords(body)])
}

/** Starts an application that runs `script` on every connection. */
export async function startPeer(script: Script, options: PeerOptions = {}): Promise<Peer> {
  const peer = new Peer(script)
  await peer.listen(options.listen ?? (process.platform === 'win32' ? 'tcp' : 'unix'))
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

  readonly #script: Script
  readonly #server: Server
  readonly #failures: unknown[] = []
  #directory: string | undefined

  constructor(script: Script) {
    this.#script = script
    this.#server = createServer((socket) => this.#accept(socket))
  }

  async listen(kind: 'unix' | 'tcp'): Promise<void> {
    if (kind === 'unix') this.#directory = mkdtempSync(join(tmpdir(), 'fcgi-'))
    const path = this.#directory === undefined ? undefined : join(this.#directory, 's')
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      if (path !== undefined) this.#server.listen(path, resolve)
      else this.#server.listen(0, '127.0.0.1', resolve)
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
    const run = async () => this.#script(connection)
    run().catch((error) => {
      if (!(error instanceof Gone)) this.#failures.push(error)
    })
  }
}

/** The client closed the connection; ends a script that still waits for something on it. */
export class Gone extends Error {}

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

  readonly #requests: PeerRequest[] = []
  readonly #waiting: Array<{ resolve(request: PeerRequest): void; reject(error: Error): void }> = []
  #current: PeerRequest | undefined

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
        this.#current?.close()
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
    const params: Buffer[] = []
    return {
      onStream: (type, id, chunk) => {
        this.ids.add(id)
        if (type === RecordType.PARAMS) params.push(Buffer.from(chunk))
        else if (type === RecordType.STDIN) this.#current?.push(Buffer.from(chunk))
      },
      onStreamEnd: (type, id) => {
        this.ids.add(id)
        const request = this.#current
        if (type === RecordType.STDIN) request?.finish()
        if (type !== RecordType.PARAMS || request === undefined) return
        for (const [name, value] of decodeNameValues(Buffer.concat(params.splice(0))))
          request.params[name] = value
        all.push(request)
        const waiting = this.#waiting.shift()
        if (waiting === undefined) this.#requests.push(request)
        else waiting.resolve(request)
      },
      onMessage: (type, id, content) => {
        this.ids.add(id)
        if (type === RecordType.BEGIN_REQUEST) this.#current = new PeerRequest(id, content)
      },
    }
  }
}

/** One request, as the application sees it. */
export class PeerRequest {
  readonly id: number
  readonly role: number
  readonly flags: number
  readonly params: Record<string, string> = {}
  /** Bytes of STDIN so far. */
  stdinLength = 0
  /** Whether STDIN's empty record came. */
  stdinEnded = false

  #chunks: Buffer[] = []
  #onChunk: ((chunk: Buffer) => void) | undefined
  #onFinished: Array<() => void> = []
  #closed = false

  constructor(id: number, begin: Buffer) {
    this.id = id
    this.role = begin.readUInt16BE(0)
    this.flags = begin.readUInt8(2)
  }

  get keepConnection(): boolean {
    return (this.flags & KEEP_CONN) !== 0
  }

  /** The whole of STDIN; rejects when the connection closes before its end. */
  async stdin(): Promise<Buffer> {
    if (!this.stdinEnded && !this.#closed)
      await new Promise<void>((resolve) => this.#onFinished.push(resolve))
    if (!this.stdinEnded) throw new Gone('connection closed inside STDIN')
    return Buffer.concat(this.#chunks)
  }

  /** Hands STDIN on as it comes, what came before included. */
  onStdin(take: (chunk: Buffer) => void): void {
    this.#onChunk = take
    for (const chunk of this.#chunks.splice(0)) take(chunk)
  }

  /** A piece of STDIN came. */
  push(chunk: Buffer): void {
    this.stdinLength += chunk.length
    if (this.#onChunk === undefined) this.#chunks.push(chunk)
    else this.#onChunk(chunk)
  }

  /** STDIN's end came. */
  finish(): void {
    this.stdinEnded = true
    this.close()
  }

  /** Nothing more comes. */
  close(): void {
    this.#closed = true
    for (const resolve of this.#onFinished.splice(0)) resolve()
  }
}
