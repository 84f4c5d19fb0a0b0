// Reads the records of a connection from a web server, and dispatches them to the requests on it.
import type { Socket } from 'node:net'
import {
  decodeBeginRequest,
  decodeNameValues,
  encodeEndRequest,
  encodeGetValuesResult,
  encodeRecord,
  encodeUnknownType,
  ProtocolError,
  ProtocolStatus,
  type RecordHandler,
  RecordReader,
  RecordType,
  Role,
} from '@fastcgi/protocol'
import type { Settings } from '../options.ts'
import type { RoleName } from '../request/context.ts'
import { Exchange, type Serve, type Transport } from '../request/exchange.ts'
import { OutputQueue } from './output-queue.ts'

/** The server of a connection, as the connection sees it. */
export interface ConnectionHost {
  readonly settings: Settings
  readonly serve: Serve
  /** Whether a role has a listener. */
  hasListener(role: RoleName): boolean
  /** Number of requests that are being served, on all connections. */
  requests: number
  /** Whether the server is closing: new requests are refused. */
  readonly draining: boolean
  /** The connection has closed. */
  onClosed(connection: Connection): void
  /** The web server violated the protocol or exceeded a timeout; the connection is closed. */
  onError(error: Error, socket: Socket): void
}

const ROLE_NAMES: Readonly<Record<number, RoleName>> = {
  [Role.RESPONDER]: 'responder',
  [Role.AUTHORIZER]: 'authorizer',
  [Role.FILTER]: 'filter',
}

/**
 * Maximum number of unread body bytes of one request that are buffered while other requests share the connection. Beyond
 * it the socket is paused, so the other requests wait as well: FastCGI has no flow control per request.
 */
const MAX_UNREAD = 1_048_576

/** Bytes of unsent output above which STDERR is dropped, so that it cannot fill the memory. */
const MAX_STDERR_BACKLOG = 1_048_576

/** A connection from a web server, with all requests on it. */
export class Connection implements RecordHandler, Transport {
  readonly #socket: Socket
  readonly #host: ConnectionHost
  readonly #overloaded: boolean
  readonly #reader: RecordReader = new RecordReader(this)
  readonly #output: OutputQueue
  readonly #exchanges = new Map<number, Exchange>()
  #lastRead: number = performance.now()
  #served = false
  /** No new requests are accepted; the connection is closed after the last one. */
  #closing = false
  /** When the sending side was closed; the connection then waits for the web server to close its own. */
  #lingeringSince: number | undefined
  #closed = false

  /** @param overloaded whether `maxConnections` is exceeded, so that all its requests are refused. */
  constructor(socket: Socket, host: ConnectionHost, overloaded: boolean) {
    this.#socket = socket
    this.#host = host
    this.#overloaded = overloaded
    this.#output = new OutputQueue(socket)
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    // 'close' follows an 'error', and does the work.
    socket.on('error', () => {})
    socket.on('close', this.#onClose)
  }

  /** Whether it has no request. */
  get idle(): boolean {
    return this.#exchanges.size === 0
  }

  /** Refuses new requests, and closes the connection after the running ones. */
  close(): void {
    this.#closing = true
    this.#closeWhenIdle()
  }

  /** Closes the connection at once, and aborts the requests on it. */
  destroy(): void {
    this.#socket.destroy()
    this.#onClose()
  }

  // ---- records

  readonly #onData = (chunk: Buffer): void => {
    if (this.#lingeringSince !== undefined) return
    this.#lastRead = performance.now()
    let parsed = false
    try {
      this.#reader.push(chunk)
      parsed = true
    } catch (error) {
      // An exception from a listener is passed on: it is not a violation of the protocol.
      if (!(error instanceof ProtocolError)) throw error
      this.#host.onError(error, this.#socket)
    } finally {
      if (!parsed) this.destroy()
    }
    this.#updateReading()
  }

  onStream(type: RecordType, requestId: number, chunk: Buffer): void {
    const exchange = this.#exchanges.get(requestId)
    if (exchange === undefined) return
    if (type === RecordType.PARAMS) exchange.onParams(chunk)
    else if (type === RecordType.STDIN) exchange.onStdin(chunk)
    else if (type === RecordType.DATA) exchange.onData(chunk)
  }

  onStreamEnd(type: RecordType, requestId: number): void {
    const exchange = this.#exchanges.get(requestId)
    if (exchange === undefined) return
    if (type === RecordType.PARAMS) exchange.onParamsEnd()
    else if (type === RecordType.STDIN) exchange.onStdinEnd()
    else if (type === RecordType.DATA) exchange.onDataEnd()
  }

  onMessage(type: number, requestId: number, content: Buffer): void {
    if (type === RecordType.BEGIN_REQUEST) this.#begin(requestId, content)
    else if (requestId === 0) this.#onManagement(type, content)
    else if (type === RecordType.ABORT_REQUEST) this.#onAbort(requestId)
  }

  #begin(id: number, content: Buffer): void {
    const { role, keepConnection } = decodeBeginRequest(content)
    if (id === 0) throw new ProtocolError('BEGIN_REQUEST has request id 0')
    if (this.#exchanges.has(id))
      throw new ProtocolError(`BEGIN_REQUEST has request id ${id}, which is in use`)
    this.#served = true
    const name = ROLE_NAMES[role]
    const refusal = this.#refusal(name)
    if (name === undefined || refusal !== undefined) {
      this.#output.writeRecords(encodeEndRequest(id, 0, refusal ?? ProtocolStatus.UNKNOWN_ROLE))
      if (!keepConnection || this.#overloaded) this.close()
      return
    }
    const { settings, serve } = this.#host
    const exchange = new Exchange({ id, role: name, keepConnection }, this, settings, serve)
    this.#exchanges.set(id, exchange)
    this.#host.requests++
  }

  #refusal(role: RoleName | undefined): ProtocolStatus | undefined {
    const { settings, requests, draining } = this.#host
    if (role === undefined || !this.#host.hasListener(role)) return ProtocolStatus.UNKNOWN_ROLE
    if (!settings.multiplex && this.#exchanges.size > 0) return ProtocolStatus.CANT_MPX_CONN
    const full = this.#overloaded || requests >= settings.maxRequests
    return full || draining || this.#closing ? ProtocolStatus.OVERLOADED : undefined
  }

  #onManagement(type: number, content: Buffer): void {
    this.#served = true
    if (type !== RecordType.GET_VALUES) {
      this.#output.writeRecords(encodeUnknownType(type))
      return
    }
    const { maxConnections, maxRequests, multiplex } = this.#host.settings
    const values: Record<string, string> = {
      FCGI_MAX_CONNS: String(maxConnections),
      FCGI_MAX_REQS: String(maxRequests),
      FCGI_MPXS_CONNS: multiplex ? '1' : '0',
    }
    const asked = new Set(decodeNameValues(content).map(([name]) => name))
    this.#output.writeRecords(
      encodeGetValuesResult(Object.entries(values).filter(([name]) => asked.has(name))),
    )
  }

  #onAbort(id: number): void {
    const exchange = this.#exchanges.get(id)
    if (exchange === undefined) return
    exchange.abort()
    this.onComplete(exchange)
  }

  // ---- Transport: the response

  stdout(exchange: Exchange, chunks: Buffer[], callback: () => void): void {
    this.#output.stdout(exchange.id, chunks, callback)
  }

  stderr(exchange: Exchange, text: string): void {
    if (this.#output.backlog > MAX_STDERR_BACKLOG) return
    exchange.usedStderr = true
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at += 65_528)
      this.#output.writeRecords(
        encodeRecord(RecordType.STDERR, exchange.id, bytes.subarray(at, at + 65_528)),
      )
  }

  onComplete(exchange: Exchange): void {
    const { id } = exchange
    if (!this.#remove(exchange)) return
    const records = [encodeRecord(RecordType.STDOUT, id)]
    if (exchange.usedStderr) records.push(encodeRecord(RecordType.STDERR, id))
    records.push(encodeEndRequest(id, exchange.appStatus, ProtocolStatus.REQUEST_COMPLETE))
    this.#output.writeRecords(Buffer.concat(records))
    if (!exchange.keepConnection || !exchange.started || this.#host.draining) this.#closing = true
    this.#closeWhenIdle()
  }

  // END_REQUEST is not sent: web servers take it for the end of a complete response, whatever status it has. Instead the
  // connection is closed, after the other requests on it have ended.
  onIncomplete(exchange: Exchange): void {
    if (!this.#remove(exchange)) return
    this.#closing = true
    this.#closeWhenIdle()
  }

  onBodyRead(_exchange: Exchange): void {
    this.#updateReading()
  }

  #remove(exchange: Exchange): boolean {
    if (!this.#exchanges.delete(exchange.id)) return false
    this.#host.requests--
    this.#output.drop(exchange.id)
    this.#updateReading()
    return true
  }

  /** Pauses the socket while a request on it has too many unread bytes, and resumes it otherwise. */
  #updateReading(): void {
    if (this.#closed) return
    const limit = this.#exchanges.size > 1 ? MAX_UNREAD : 0
    let blocked = false
    for (const exchange of this.#exchanges.values()) if (exchange.unread > limit) blocked = true
    if (blocked === this.#socket.isPaused()) return
    if (blocked) this.#socket.pause()
    else this.#socket.resume()
  }

  // ---- close

  // Lingering close, as in nginx: only the sending side is closed, and input is discarded until the web server closes the
  // connection. After a close(), data that still arrives would make the kernel send a reset, which discards the part of the
  // response that the web server has not read yet.
  #closeWhenIdle(): void {
    if (!this.#closing || this.#exchanges.size > 0 || this.#lingeringSince !== undefined) return
    this.#lingeringSince = performance.now()
    this.#socket.end()
    this.#socket.resume()
  }

  // A half-closed connection cannot be distinguished from one whose web server has disconnected.
  readonly #onEnd = (): void => {
    if (this.#lingeringSince === undefined) this.destroy()
  }

  readonly #onClose = (): void => {
    if (this.#closed) return
    this.#closed = true
    for (const exchange of this.#exchanges.values()) {
      this.#remove(exchange)
      exchange.abort()
    }
    this.#host.onClosed(this)
  }

  /** Applies the timeouts; called periodically by TimeoutChecker. */
  checkTimeouts(now: number): void {
    const { params, body, write, idle, linger } = this.#host.settings.timeouts
    const expired = (since: number, limit: number): boolean => limit > 0 && now - since > limit
    if (this.#output.stalled && expired(this.#output.lastActivity, write)) this.#timeOut('write')
    else if (this.#lingeringSince !== undefined) {
      if (!this.#output.stalled && expired(this.#lingeringSince, linger)) this.destroy()
    } else if (this.#exchanges.size === 0) {
      if (!this.#reader.atBoundary && expired(this.#lastRead, params)) this.#timeOut('params')
      else if (expired(this.#lastRead, this.#overloaded && !this.#served ? linger : idle))
        this.close()
    } else
      for (const exchange of this.#exchanges.values()) {
        const late = exchange.started
          ? exchange.needsData && !this.#socket.isPaused() && expired(exchange.lastActivity, body)
          : expired(exchange.lastActivity, params)
        if (late) exchange.fail(408)
      }
  }

  #timeOut(option: 'write' | 'params'): void {
    const error = new Error(
      option === 'write'
        ? `the web server has not read for ${this.#host.settings.timeouts.write} ms (option timeouts.write)`
        : `a record has not ended for ${this.#host.settings.timeouts.params} ms (option timeouts.params)`,
    )
    this.#host.onError(error, this.#socket)
    this.destroy()
  }
}
