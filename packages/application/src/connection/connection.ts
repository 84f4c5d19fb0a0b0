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
import { type Carrier, Exchange, type Serve } from '../request/exchange.ts'
import { Output } from './output.ts'

/** What connections ask and tell their server. */
export interface ConnectionHost {
  readonly settings: Settings
  readonly serve: Serve
  /** Roles that there is a listener for. */
  readonly roles: ReadonlySet<RoleName>
  /** Requests that are being served on all connections. */
  requests: number
  /** Whether the server is closing: nothing new is begun. */
  readonly draining: boolean
  onClosed(connection: Connection): void
  /** The web server broke the protocol or a time limit; the connection has been closed. */
  onError(error: Error, socket: Socket): void
}

const ROLE_NAMES: Readonly<Record<number, RoleName>> = {
  [Role.RESPONDER]: 'responder',
  [Role.AUTHORIZER]: 'authorizer',
  [Role.FILTER]: 'filter',
}

/**
 * Bytes of a body that nobody reads which are put by, where other requests share the connection. Then it is not read
 * from any more, and the others wait: FastCGI has no flow control of a single request.
 */
const MOST_UNREAD = 1_048_576

/** Bytes of output on their way, beyond which STDERR is dropped. */
const MOST_STDERR_BACKLOG = 1_048_576

/** A connection from a web server, with all requests that it carries. */
export class Connection implements RecordHandler, Carrier {
  readonly #socket: Socket
  readonly #host: ConnectionHost
  readonly #overloaded: boolean
  readonly #reader: RecordReader = new RecordReader(this)
  readonly #output: Output
  readonly #exchanges = new Map<number, Exchange>()
  #lastRead: number = performance.now()
  #served = false
  /** No more requests: the last one on it closes it. */
  #closing = false
  #lingersSince: number | undefined
  #closed = false

  /** @param overloaded whether there are too many connections, so that its requests are refused. */
  constructor(socket: Socket, host: ConnectionHost, overloaded: boolean) {
    this.#socket = socket
    this.#host = host
    this.#overloaded = overloaded
    this.#output = new Output(socket)
    socket.on('data', this.#onBytes)
    socket.on('end', this.#onEnd)
    // 'close' follows.
    socket.on('error', () => {})
    socket.on('close', this.#onGone)
  }

  /** Whether no request is on it. */
  get idle(): boolean {
    return this.#exchanges.size === 0
  }

  /** Lets it end when the requests on it have ended, and begins no others. */
  close(): void {
    this.#closing = true
    this.#closeWhenIdle()
  }

  /** Ends it now, and the requests on it. */
  destroy(): void {
    this.#socket.destroy()
    this.#onGone()
  }

  // ---- records

  readonly #onBytes = (chunk: Buffer): void => {
    if (this.#lingersSince !== undefined) return
    this.#lastRead = performance.now()
    let whole = false
    try {
      this.#reader.push(chunk)
      whole = true
    } catch (error) {
      // What a listener throws is not the web server's fault.
      if (!(error instanceof ProtocolError)) throw error
      this.#host.onError(error, this.#socket)
    } finally {
      if (!whole) this.destroy()
    }
    this.#balanceInput()
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
      this.#output.records(encodeEndRequest(id, 0, refusal ?? ProtocolStatus.UNKNOWN_ROLE))
      if (!keepConnection || this.#overloaded) this.close()
      return
    }
    const { settings, serve } = this.#host
    const exchange = new Exchange({ id, role: name, keepConnection }, this, settings, serve)
    this.#exchanges.set(id, exchange)
    this.#host.requests++
  }

  #refusal(role: RoleName | undefined): ProtocolStatus | undefined {
    const { settings, requests, draining, roles } = this.#host
    if (role === undefined || !roles.has(role)) return ProtocolStatus.UNKNOWN_ROLE
    if (!settings.multiplex && this.#exchanges.size > 0) return ProtocolStatus.CANT_MPX_CONN
    const full = this.#overloaded || requests >= settings.maxRequests
    return full || draining || this.#closing ? ProtocolStatus.OVERLOADED : undefined
  }

  #onManagement(type: number, content: Buffer): void {
    this.#served = true
    if (type !== RecordType.GET_VALUES) {
      this.#output.records(encodeUnknownType(type))
      return
    }
    const { maxConnections, maxRequests, multiplex } = this.#host.settings
    const values: Record<string, string> = {
      FCGI_MAX_CONNS: String(maxConnections),
      FCGI_MAX_REQS: String(maxRequests),
      FCGI_MPXS_CONNS: multiplex ? '1' : '0',
    }
    const asked = new Set(decodeNameValues(content).map(([name]) => name))
    this.#output.records(
      encodeGetValuesResult(Object.entries(values).filter(([name]) => asked.has(name))),
    )
  }

  #onAbort(id: number): void {
    const exchange = this.#exchanges.get(id)
    if (exchange === undefined) return
    exchange.abort()
    this.onComplete(exchange)
  }

  // ---- the response

  stdout(exchange: Exchange, pieces: Buffer[], taken: () => void): void {
    this.#output.stdout(exchange.id, pieces, taken)
  }

  stderr(exchange: Exchange, text: string): void {
    if (this.#output.backlog > MOST_STDERR_BACKLOG) return
    exchange.usedStderr = true
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at += 65_528)
      this.#output.records(
        encodeRecord(RecordType.STDERR, exchange.id, bytes.subarray(at, at + 65_528)),
      )
  }

  onComplete(exchange: Exchange): void {
    const { id } = exchange
    if (!this.#forget(exchange)) return
    const ends = [encodeRecord(RecordType.STDOUT, id)]
    if (exchange.usedStderr) ends.push(encodeRecord(RecordType.STDERR, id))
    ends.push(encodeEndRequest(id, exchange.appStatus, ProtocolStatus.REQUEST_COMPLETE))
    this.#output.records(Buffer.concat(ends))
    if (!exchange.keepConnection || !exchange.started || this.#host.draining) this.#closing = true
    this.#closeWhenIdle()
  }

  // No END_REQUEST: web servers take that for the end of a whole response, whatever status it has. The connection
  // ends without, as soon as the other requests on it have ended.
  onBroken(exchange: Exchange): void {
    if (!this.#forget(exchange)) return
    this.#closing = true
    this.#closeWhenIdle()
  }

  onHungry(_exchange: Exchange): void {
    this.#balanceInput()
  }

  #forget(exchange: Exchange): boolean {
    if (!this.#exchanges.delete(exchange.id)) return false
    this.#host.requests--
    this.#output.drop(exchange.id)
    this.#balanceInput()
    return true
  }

  #balanceInput(): void {
    if (this.#closed) return
    const most = this.#exchanges.size > 1 ? MOST_UNREAD : 0
    let blocked = false
    for (const exchange of this.#exchanges.values()) if (exchange.unread > most) blocked = true
    if (blocked === this.#socket.isPaused()) return
    if (blocked) this.#socket.pause()
    else this.#socket.resume()
  }

  // ---- the end

  // Not closed before the web server does: what it still sends would make the system reset the connection, and take
  // from it what it has not read of the response.
  #closeWhenIdle(): void {
    if (!this.#closing || this.#exchanges.size > 0 || this.#lingersSince !== undefined) return
    this.#lingersSince = performance.now()
    this.#socket.end()
    this.#socket.resume()
  }

  // A web server that closes one direction only cannot be told from one that has gone.
  readonly #onEnd = (): void => {
    if (this.#lingersSince === undefined) this.destroy()
  }

  readonly #onGone = (): void => {
    if (this.#closed) return
    this.#closed = true
    for (const exchange of this.#exchanges.values()) {
      this.#forget(exchange)
      exchange.abort()
    }
    this.#host.onClosed(this)
  }

  /** Looks after the time limits; called now and then. */
  checkTimes(now: number): void {
    const { params, body, write, idle, linger } = this.#host.settings.timeouts
    const over = (since: number, limit: number): boolean => limit > 0 && now - since > limit
    if (this.#output.stalled && over(this.#output.lastMove, write)) this.#giveUp('write')
    else if (this.#lingersSince !== undefined) {
      if (!this.#output.stalled && over(this.#lingersSince, linger)) this.destroy()
    } else if (this.#exchanges.size === 0) {
      if (!this.#reader.atBoundary && over(this.#lastRead, params)) this.#giveUp('params')
      else if (over(this.#lastRead, this.#overloaded && !this.#served ? linger : idle)) this.close()
    } else
      for (const exchange of this.#exchanges.values()) {
        const late = exchange.started
          ? exchange.hungry && !this.#socket.isPaused() && over(exchange.lastMove, body)
          : over(exchange.lastMove, params)
        if (late) exchange.fail(408)
      }
  }

  #giveUp(option: 'write' | 'params'): void {
    const error = new Error(
      option === 'write'
        ? `the web server has not read for ${this.#host.settings.timeouts.write} ms (option timeouts.write)`
        : `a record has not ended for ${this.#host.settings.timeouts.params} ms (option timeouts.params)`,
    )
    this.#host.onError(error, this.#socket)
    this.destroy()
  }
}
