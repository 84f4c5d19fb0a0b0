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

/** Whoever carries an exchange: a connection, or standard input and output (CGI). */
export interface Carrier {
  /** Sends a piece of the response; `taken` is called when the next one can come. */
  stdout(exchange: Exchange, pieces: Buffer[], taken: () => void): void
  /** Sends to the error log of the web server. */
  stderr(exchange: Exchange, text: string): void
  /** The response is whole: all of it has been handed over. */
  onComplete(exchange: Exchange): void
  /** There will be no whole response, and a part of it is under way. */
  onBroken(exchange: Exchange): void
  /** More of the body can be taken. */
  onHungry(exchange: Exchange): void
}

/** Hands a request to the listener of its role. */
export type Serve = (role: RoleName, req: FastCGIRequest, res: ServerResponse) => void

/** What an exchange is to be. */
export interface Begin {
  id: number
  role: RoleName
  keepConnection: boolean
}

/** One request and its response, from BEGIN_REQUEST to END_REQUEST. */
export class Exchange implements ResponseSink {
  readonly id: number
  readonly role: RoleName
  readonly keepConnection: boolean
  /** When a piece of it last came, in milliseconds of `performance.now()`; before PARAMS have ended, when it began. */
  lastMove: number = performance.now()
  /** Whether STDERR was used, so that it has to be ended. */
  usedStderr = false

  readonly #carrier: Carrier
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

  constructor(begin: Begin, carrier: Carrier, settings: Settings, serve: Serve) {
    this.id = begin.id
    this.role = begin.role
    this.keepConnection = begin.keepConnection
    this.#carrier = carrier
    this.#settings = settings
    this.#serve = serve
  }

  get appStatus(): number {
    return this.#context?.appStatus ?? 0
  }

  /** Whether PARAMS ended well, and the listener was asked. */
  get started(): boolean {
    return this.#context !== undefined
  }

  /** Whether the listener waits for a piece of the body. */
  get hungry(): boolean {
    return !this.#ended && (this.#body?.hungry === true || this.#data?.hungry === true)
  }

  /** Bytes of the body that wait for the listener, when it does not want more for now; else 0. */
  get unread(): number {
    if (this.#ended) return 0
    return (this.#body?.full ? this.#body.unread : 0) + (this.#data?.full ? this.#data.unread : 0)
  }

  // ---- what the web server sends

  onParams(chunk: Buffer): void {
    if (this.started || this.#ended) return
    if (!this.#params.push(chunk, this.#settings.maxParamsSize)) this.fail(431)
  }

  onParamsEnd(): void {
    if (this.started || this.#ended) return
    const params = this.#params.decode('latin1')
    const head = readRequestHead(params)
    const refusal = this.#refusal(params.size, head)
    if (refusal === undefined) this.#start(params, head)
    else this.fail(refusal)
  }

  onStdin(chunk: Buffer): void {
    this.#move()
    this.#body?.push(chunk)
    const { maxBodySize } = this.#settings
    if (maxBodySize > 0 && (this.#body?.received ?? 0) > maxBodySize) this.fail(413)
  }

  onStdinEnd(): void {
    // The client has failed: what came must not look like the whole (FastCGI 1.0 §6.2).
    if (this.#body?.end() === false) this.fail(400)
  }

  onData(chunk: Buffer): void {
    this.#move()
    this.#data?.push(chunk)
  }

  onDataEnd(): void {
    if (this.#data?.end() === false)
      this.#dataStream?.destroy(new Error('FCGI_DATA is shorter than FCGI_DATA_LENGTH says'))
  }

  // ---- how it ends

  /** Nobody waits for the response any more. */
  abort(): void {
    this.#release()
  }

  /** Ends it with a response of this status, or as broken where another response is under way. */
  fail(status: number): void {
    if (this.#ended) return
    const begun = this.#socket?.headSent === true
    this.#release()
    if (begun) this.#carrier.onBroken(this)
    else this.#carrier.stdout(this, [statusResponse(status)], () => this.#carrier.onComplete(this))
  }

  onOutput(pieces: Buffer[], taken: () => void): void {
    if (!this.#ended) this.#carrier.stdout(this, pieces, taken)
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
    this.#carrier.onComplete(this)
    // Not at once: the socket is still inside of its last write, and would make an error of being destroyed in it.
    process.nextTick(destroy, this.#socket)
    // What is left of the body reaches nobody; a part of it must not look like the whole.
    if (this.#req?.complete === false) this.#req.destroy()
    else if (this.#req?.readableEnded === false) this.#req.resume()
    this.#dataStream?.destroy()
  }

  #release(): void {
    if (this.#ended) return
    this.#ended = true
    this.#controller.abort()
    this.#socket?.destroy()
    this.#dataStream?.destroy()
    // As node:http tells listeners of a connection that was reset.
    this.#req?.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))
  }

  // ---- the listener's side

  #refusal(count: number, head: RequestHead): number | undefined {
    const { maxParams, maxBodySize } = this.#settings
    if (count > maxParams) return 431
    if (head.method === '' || Number.isNaN(head.contentLength)) return 400
    return maxBodySize > 0 && (head.contentLength ?? 0) > maxBodySize ? 413 : undefined
  }

  #start(params: ReadonlyMap<string, string>, head: RequestHead): void {
    this.#move()
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
    // What somebody destroys it with; the exchange is ended all the same.
    socket.on('error', () => {})
    res.on('finish', this.#onFinish)
    // Authorizers have no body (FastCGI 1.0 §6.3), and not every web server ends their STDIN.
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
    this.lastMove = performance.now()
    this.#carrier.onHungry(this)
  }

  #writeError(text: string): void {
    if (!this.#ended && text !== '') this.#carrier.stderr(this, text)
  }

  #move(): void {
    this.lastMove = performance.now()
    this.#socket?.touch()
  }

  // As node:http's server: whoever set the timeout decides, else the connection is closed.
  readonly #onTimeout = (): void => {
    const heard = this.#req?.emit('timeout', this.#socket)
    if (this.#res?.emit('timeout', this.#socket) || heard) return
    this.#socket?.destroy()
  }
}

function destroy(socket: RequestSocket): void {
  socket.destroy()
}
