// The life of one request: its records, its IncomingMessage and ServerResponse, and its end.
import type { ServerResponse } from 'node:http'
import type { Settings } from '../options.ts'
import { BodyFeed } from './body-feed.ts'
import {
  Context,
  type FastCGIRequest,
  type FilterData,
  filterData,
  type RoleName,
} from './context.ts'
import { createRequest, createResponse } from './messages.ts'
import { Params } from './params.ts'
import { type RequestHead, readRequestHead } from './request-head.ts'
import { RequestSocket, type ResponseSink } from './request-socket.ts'
import { statusResponse } from './response-head.ts'

/** What an exchange is transported over: a connection, or standard input and output (CGI). */
export interface Transport {
  /** Sends a part of the response; `callback` is called when more is accepted. */
  stdout(exchange: Exchange, chunks: Buffer[], callback: () => void): void
  /** Sends text to the error log of the web server. */
  stderr(exchange: Exchange, text: string): void
  /** The response is complete, and all of it has been passed to stdout(). */
  onComplete(exchange: Exchange): void
  /** The response has failed after a part of it was sent. */
  onIncomplete(exchange: Exchange): void
  /** The listener has read the buffered body; more of it can be received. */
  onBodyRead(exchange: Exchange): void
}

/** Calls the listener of the role. */
export type Serve = (role: RoleName, req: FastCGIRequest, res: ServerResponse) => void

/** Contents of the BEGIN_REQUEST record. */
export interface BeginRequest {
  id: number
  role: RoleName
  keepConnection: boolean
}

/** One request and its response, from BEGIN_REQUEST to END_REQUEST. */
export class Exchange implements ResponseSink {
  readonly id: number
  readonly role: RoleName
  readonly keepConnection: boolean
  /** When a part of the body was last received or read, in milliseconds of `performance.now()`; before the end of PARAMS, when the request began. */
  lastActivity: number = performance.now()
  /** Whether STDERR was used, so that its stream has to be closed. */
  usedStderr = false

  readonly #transport: Transport
  readonly #settings: Settings
  readonly #serve: Serve
  readonly #params: Params = new Params()
  #context: Context | undefined
  #req: FastCGIRequest | undefined
  #res: ServerResponse | undefined
  #socket: RequestSocket | undefined
  #body: BodyFeed | undefined
  #data: BodyFeed | undefined
  #dataStream: FilterData['stream'] | undefined
  readonly #controller: AbortController = new AbortController()
  #ended = false

  constructor(begin: BeginRequest, transport: Transport, settings: Settings, serve: Serve) {
    this.id = begin.id
    this.role = begin.role
    this.keepConnection = begin.keepConnection
    this.#transport = transport
    this.#settings = settings
    this.#serve = serve
  }

  /** Exit status for END_REQUEST. */
  get appStatus(): number {
    return this.#context?.appStatus ?? 0
  }

  /** Whether valid PARAMS have been received and the listener has been called. */
  get started(): boolean {
    return this.#context !== undefined
  }

  /** Whether the listener waits for more of the body. */
  get needsData(): boolean {
    return !this.#ended && (this.#body?.needsData === true || this.#data?.needsData === true)
  }

  /** Buffered bytes of the body while the listener does not want more; otherwise 0. */
  get unread(): number {
    if (this.#ended) return 0
    return (this.#body?.full ? this.#body.unread : 0) + (this.#data?.full ? this.#data.unread : 0)
  }

  // ---- records from the web server

  onParams(chunk: Buffer): void {
    if (this.started || this.#ended) return
    if (!this.#params.push(chunk, this.#settings.maxParamsSize)) this.fail(431)
  }

  onParamsEnd(): void {
    if (this.started || this.#ended) return
    const pairs = this.#params.pairs('latin1')
    const head = readRequestHead(pairs)
    const refusal = this.#refusal(pairs.length, head)
    if (refusal === undefined) this.#start(new Map(pairs), head)
    else this.fail(refusal)
  }

  onStdin(chunk: Buffer): void {
    this.#markActive()
    this.#body?.push(chunk)
    const { maxBodySize } = this.#settings
    if (maxBodySize > 0 && (this.#body?.received ?? 0) > maxBodySize) this.fail(413)
  }

  onStdinEnd(): void {
    // Less than CONTENT_LENGTH: the client disconnected. The body must not look complete (FastCGI 1.0 §6.2).
    if (this.#body?.end() === false) this.fail(400)
  }

  onData(chunk: Buffer): void {
    this.#markActive()
    this.#data?.push(chunk)
  }

  onDataEnd(): void {
    if (this.#data?.end() === false)
      this.#dataStream?.destroy(new Error('FCGI_DATA is shorter than FCGI_DATA_LENGTH says'))
  }

  // ---- end of the exchange

  /** The response is no longer wanted: ABORT_REQUEST, or the connection is lost. */
  abort(): void {
    this.#tearDown()
  }

  /** Ends the exchange with a response of this status, or as incomplete if a response has begun. */
  fail(status: number): void {
    if (this.#ended) return
    const headSent = this.#socket?.headSent === true
    this.#tearDown()
    if (headSent) this.#transport.onIncomplete(this)
    else
      this.#transport.stdout(this, [statusResponse(status)], () => this.#transport.onComplete(this))
  }

  onOutput(chunks: Buffer[], callback: () => void): void {
    if (!this.#ended) this.#transport.stdout(this, chunks, callback)
  }

  onSocketDestroyed(): void {
    this.fail(500)
  }

  readonly #onFinish = (): void => {
    if (this.#ended) return
    if (this.#socket?.headSent !== true) {
      this.fail(500)
      return
    }
    this.#ended = true
    this.#transport.onComplete(this)
    // The socket is still inside its last _write(), so destroying it now would report that write as failed.
    process.nextTick(destroy, this.#socket)
    // The rest of the body is discarded. A body that is incomplete must not look complete, so it is destroyed.
    if (this.#req?.complete === false) this.#req.destroy()
    else if (this.#req?.readableEnded === false) this.#req.resume()
    this.#dataStream?.destroy()
  }

  #tearDown(): void {
    if (this.#ended) return
    this.#ended = true
    this.#controller.abort()
    this.#socket?.destroy()
    this.#dataStream?.destroy()
    // The error that node:http gives a request whose connection was reset.
    this.#req?.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))
  }

  // ---- start of the listener

  #refusal(count: number, head: RequestHead): number | undefined {
    const { maxParams, maxBodySize } = this.#settings
    if (count > maxParams) return 431
    if (head.method === '' || Number.isNaN(head.contentLength)) return 400
    return maxBodySize > 0 && (head.contentLength ?? 0) > maxBodySize ? 413 : undefined
  }

  #start(params: ReadonlyMap<string, string>, head: RequestHead): void {
    this.#markActive()
    const data =
      this.role === 'filter' ? filterData(params, () => this.#onRead(this.#data)) : undefined
    const fastcgi = new Context({
      role: this.role,
      params: this.#params,
      requestId: this.id,
      keepConnection: this.keepConnection,
      data,
      writeError: (text) => this.#writeError(text),
    })
    const socket = new RequestSocket(head.client, this.role === 'authorizer', this)
    const { signal } = this.#controller
    const onRead = () => this.#onRead(this.#body)
    const req = createRequest(head, socket, { fastcgi, signal, onRead })
    const res = createResponse(req, socket)
    socket.on('timeout', this.#onTimeout)
    // An error that a listener destroys it with; onSocketDestroyed() ends the exchange.
    socket.on('error', () => {})
    res.on('finish', this.#onFinish)
    // Authorizers have no body (FastCGI 1.0 §6.3), and not every web server closes their STDIN.
    const length = this.role === 'authorizer' ? 0 : head.contentLength
    const body = new BodyFeed(req, length, () => {
      req.complete = true
    })
    body.start()
    this.#context = fastcgi
    this.#socket = socket
    this.#req = req
    this.#res = res
    this.#body = body
    if (data !== undefined) {
      this.#dataStream = data.stream
      this.#data = new BodyFeed(data.stream, data.length)
      this.#data.start()
    }
    this.#serve(this.role, req, res)
  }

  #onRead(feed: BodyFeed | undefined): void {
    if (feed === undefined || !feed.full) return
    feed.full = false
    this.lastActivity = performance.now()
    this.#transport.onBodyRead(this)
  }

  #writeError(text: string): void {
    if (!this.#ended && text !== '') this.#transport.stderr(this, text)
  }

  #markActive(): void {
    this.lastActivity = performance.now()
    this.#socket?.refreshTimeout()
  }

  // As node:http does: a 'timeout' listener decides what happens; without one the socket is destroyed.
  readonly #onTimeout = (): void => {
    const handled = this.#req?.emit('timeout', this.#socket)
    if (this.#res?.emit('timeout', this.#socket) || handled) return
    this.#socket?.destroy()
  }
}

function destroy(socket: RequestSocket): void {
  socket.destroy()
}
