// Turns the response of an application into a response of the gateway.

import { AsyncResource } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import {
  type Attempt,
  type DispatchControl,
  type DispatchHandler,
  type FastCGIError,
  PrematureCloseError,
  ProtocolError,
  type ResponseBody,
} from '@fastcgi/client'
import { gatewayError } from '../error-status.ts'
import { StatusError } from '../errors.ts'
import type { RequestLogger } from '../logger.ts'
import {
  hasFinished,
  isGone,
  offClientDisconnect,
  onClientDisconnect,
} from '../request/client-disconnect.ts'
import { knowsHttp11 } from '../request/http-version.ts'
import { dropBody } from '../request/unread-body.ts'
import { abortResponse } from './abort-response.ts'
import { BufferedBody, type BufferingRules } from './buffered-body.ts'
import { withoutFields } from './field-list.ts'
import { errorFields, type FieldRules } from './field-rules.ts'
import type { GatewayCallback, GatewayResponse, ResponseStart } from './gateway-response.ts'
import { type OffloadField, offloadFields } from './offload-fields.ts'
import { PipedBody } from './piped-body.ts'
import { type ResponseFields, responseFields } from './response-fields.ts'

/** The request that a {@link Responder} responds to. */
export interface ResponderContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly logger: RequestLogger
  /** SCRIPT_FILENAME as it was sent, for messages. */
  readonly scriptFilename: string | undefined
  readonly done: GatewayCallback
  /** Limits of response buffering, and its default. @default no buffering, even if the application asks for it */
  readonly buffering?: BufferingRules | undefined
  /** Set if the cache has asked, which wants the response even if the client disconnects. */
  readonly cacheRun?: { received: readonly string[] } | undefined
  /** The option `responseHeaders`. */
  readonly rules?: FieldRules | undefined
  /** Whether a status becomes an error in place of the response. @default none does */
  readonly intercepts?: ((status: number) => boolean) | undefined
  /** The spooled request body, whose temporary file is closed when the exchange ends. */
  readonly spooled: Readable | undefined
  /** Makes the response that a field such as X-Sendfile asks for. Returns undefined if the options do not allow it. */
  readonly offload?: (
    fields: readonly OffloadField[],
    start: ResponseStart,
  ) => Promise<GatewayResponse> | undefined
}

/**
 * How much of a body that is not sent to the client (HEAD, 204, 304, X-Sendfile and its relatives) is read so that the
 * connection can be reused: bytes, and milliseconds after the response has been passed on. Then the exchange is aborted,
 * whether or not the client is still connected.
 */
const MAX_DISCARDED = 1_048_576
const MAX_DISCARD_TIME = 1000

const LENGTH = new Set(['content-length'])

/** A line of stderr with which a PHP script ends. */
const PHP_FAILURE = /\bPHP (?:Fatal|Parse) error: /

const BROKEN_SCRIPT = 'look at the script and line that it names'

const UNKNOWN_SCRIPT =
  'set the option remoteRoot to the directory as the application sees it, and let its user read the script'

/**
 * Makes an HTTP response of an exchange in the Responder role (FastCGI 1.0 §6.2). A body that is complete before the first
 * flush is passed on as a Buffer, any other as a stream.
 *
 * It is an AsyncResource so that all callbacks run in the asynchronous context of the request, on which AsyncLocalStorage
 * depends. Data from a reused connection arrives in the context of the request that opened the connection.
 */
export class Responder extends AsyncResource implements DispatchHandler {
  readonly #context: ResponderContext
  #control: DispatchControl | undefined
  readonly #attempts: Attempt[] = []
  #status = 0
  #reason = ''
  #fields: ResponseFields | undefined
  #chunks: Buffer[] = []
  #received = 0
  #body: ResponseBody | undefined
  #delivered = false
  /** Whether something else is sent in place of the response. */
  #isReplaced = false
  #finished = false
  #discardTimer: NodeJS.Timeout | undefined

  constructor(context: ResponderContext) {
    super('FASTCGI')
    this.#context = context
    if (context.cacheRun === undefined)
      onClientDisconnect(context.req, context.res, this.#onDisconnect)
  }

  /** The control of the exchange. */
  set control(control: DispatchControl) {
    this.#control = control
    // The client may have disconnected before the exchange could be aborted.
    const { req, res, cacheRun } = this.#context
    if (cacheRun === undefined && isGone(req, res)) this.#onDisconnect()
  }

  onStart(attempt: Attempt): void {
    this.#attempts.push(attempt)
  }

  onInformational(status: number, headers: string[]): void {
    const { req, res } = this.#context
    // Before HTTP/1.1 there are no informational responses (RFC 9110 §15.2).
    if (status !== 103 || res.headersSent || !knowsHttp11(req)) return
    const link = headers
      .filter((_, at) => at % 2 === 1 && headers[at - 1]?.toLowerCase() === 'link')
      .flatMap((value) => value.split(/,\s*(?=<)/))
    try {
      if (link.length > 0) res.writeEarlyHints({ link })
    } catch {
      // node:http accepts only part of the syntax of RFC 8288; the hint is then left out.
    }
  }

  onHead(status: number, headers: string[], reason: string, statusGiven: boolean): void {
    const { req, rules, intercepts, cacheRun } = this.#context
    if (cacheRun !== undefined) cacheRun.received = headers
    // What is stored may be sent over HTTP/2 later.
    const isHTTP2 = cacheRun !== undefined || req.httpVersionMajor >= 2
    const fields = responseFields(headers, isHTTP2, rules)
    for (const warning of fields.warnings) this.#warn(warning)
    // Statuses above 599 are invalid (RFC 9110 §15); Fastify and node:http2 throw on them.
    if (status > 599)
      throw new ProtocolError(`the application sent status ${status}, which is over 599`)
    this.#status = status
    this.#reason = reason
    this.#fields = fields
    if (intercepts?.(status)) {
      this.#delivered = this.#isReplaced = true
      this.#done(gatewayError(new StatusError(status, errorFields(fields.headers))), undefined)
      return
    }
    const offload = offloadFields(headers, fields.offloadFields, statusGiven)
    if (offload.length > 0) this.#offload(offload)
  }

  get borrows(): boolean {
    return this.#body?.borrows === true
  }

  onData(chunk: Buffer, release?: () => void): boolean {
    const before = this.#received
    this.#received += chunk.length
    if (this.#hasNoBody()) return this.#discard()
    const length = this.#fields?.contentLength
    if (length !== undefined && this.#received > length)
      return this.#truncate(chunk, length - before)
    if (this.#body !== undefined) return this.#body.accept(chunk, release)
    this.#chunks.push(chunk)
    return true
  }

  onFlush(): boolean {
    if (this.#body !== undefined) return this.#body.flush()
    if (this.#finished) return true
    if (this.#hasNoBody()) {
      if (!this.#delivered) this.#deliver(null)
      this.#discardTimer ??= setTimeout(() => this.#stopDiscarding(), MAX_DISCARD_TIME)
    } else if (!this.#delivered) this.#startStream()
    return true
  }

  onStderr(line: string): void {
    const { scriptFilename } = this.#context
    const message = `stderr of the application: ${line}`
    if (line.includes('Primary script unknown')) {
      const hint = `SCRIPT_FILENAME was ${scriptFilename}: is that where the application sees the file (option remoteRoot)?`
      this.#warn(`${message}; ${hint}`, { option: 'remoteRoot', remedy: UNKNOWN_SCRIPT })
      this.#control?.note?.(`${line}; ${hint}`, UNKNOWN_SCRIPT)
    } else if (PHP_FAILURE.test(line)) {
      this.#log(message, undefined, undefined, BROKEN_SCRIPT)
      this.#control?.note?.(line, BROKEN_SCRIPT)
    } else this.#warn(message)
  }

  onEnd(): void {
    if (this.#finished) return
    this.#finish()
    const missing = this.#missingBytes()
    if (missing !== undefined) this.#fail(missing)
    else if (this.#body !== undefined) this.#body.finish()
    else if (!this.#delivered) this.#deliver(this.#hasNoBody() ? null : this.#wholeBody())
  }

  onError(error: FastCGIError): void {
    if (this.#finished) return
    this.#finish()
    this.#fail(error)
  }

  // ---- the body

  /** Sends something else in place of the body, if the options allow it. */
  #offload(fields: readonly OffloadField[]): void {
    const { offload } = this.#context
    const start = {
      status: this.#status,
      reason: this.#reason,
      headers: this.#fields?.headers ?? [],
    }
    const response = this.runInAsyncScope(() => offload?.(fields, start))
    if (response === undefined) return
    this.#delivered = this.#isReplaced = true
    response.then(
      (given) => this.#done(undefined, given),
      (error) => this.#done(gatewayError(error), undefined),
    )
  }

  #hasNoBody(): boolean {
    if (this.#isReplaced) return true
    return this.#context.req.method === 'HEAD' || this.#status === 204 || this.#status === 304
  }

  #discard(): boolean {
    if (this.#received > MAX_DISCARDED) this.#stopDiscarding()
    return true
  }

  #stopDiscarding(): void {
    this.#finish()
    if (!this.#delivered) this.#deliver(null)
    this.#control?.abort()
  }

  /**
   * Ends a body that is longer than its Content-Length: on a keep-alive connection the client would take the rest for
   * the next response.
   */
  #truncate(chunk: Buffer, room: number): boolean {
    this.#finish()
    this.#log(
      `the application sent more than its Content-Length of ${this.#fields?.contentLength}; cut`,
    )
    if (room > 0) {
      if (this.#body !== undefined) this.#body.accept(chunk.subarray(0, room))
      else this.#chunks.push(chunk.subarray(0, room))
    }
    if (this.#body !== undefined) this.#body.finish()
    else this.#deliver(this.#wholeBody())
    this.#control?.abort()
    return true
  }

  /** The error of a body that is shorter than its Content-Length. */
  #missingBytes(): FastCGIError | undefined {
    const length = this.#fields?.contentLength
    if (length === undefined || this.#received >= length || this.#hasNoBody()) return undefined
    return new PrematureCloseError(
      `the application ended its response after ${this.#received} of ${length} bytes`,
    )
  }

  #wholeBody(): Buffer | null {
    const chunks = this.#chunks
    if (chunks.length === 1) return chunks[0] ?? null
    return chunks.length === 0 ? null : Buffer.concat(chunks)
  }

  #startStream(): void {
    const body = this.#makeBody()
    this.#body = body
    if (this.#control !== undefined) body.control = this.#control
    for (const chunk of this.#chunks.splice(0)) body.accept(chunk)
    this.#deliver(body)
  }

  #makeBody(): ResponseBody {
    const { buffering } = this.#context
    if (buffering === undefined || !(this.#fields?.buffering ?? buffering.on))
      return new PipedBody()
    return new BufferedBody(buffering.limits, (error) =>
      this.#log(
        `the response cannot be buffered on disk (options buffering, spoolDirectory): ${error.message}`,
        error,
      ),
    )
  }

  // ---- to the adapter

  #deliver(body: Buffer | Readable | null): void {
    this.#delivered = true
    let headers = this.#fields?.headers ?? []
    // RFC 9110 §8.6 forbids Content-Length with 204.
    if (this.#status === 204) headers = withoutFields(headers, LENGTH)
    this.#done(undefined, { status: this.#status, reason: this.#reason, headers, body })
  }

  #fail(error: FastCGIError): void {
    if (this.#body !== undefined) {
      if (error.code !== 'FCGI_ABORTED')
        this.#log(`response broken off: ${error.message}`, error, 'body')
      const { req, res, cacheRun } = this.#context
      if (cacheRun === undefined) abortResponse(req, res)
      this.#body.destroy(error)
    } else if (!this.#delivered) {
      this.#delivered = true
      const { logger } = this.#context
      const details = { attempts: this.#attempts }
      this.#done(
        this.runInAsyncScope(() => logger.failure(error, details)),
        undefined,
      )
    } else if (error.code !== 'FCGI_ABORTED')
      this.#log(`after the response: ${error.message}`, error, 'body')
  }

  #done(...args: Parameters<GatewayCallback>): void {
    this.runInAsyncScope(this.#context.done, undefined, ...args)
  }

  #log(message: string, err?: Error, phase?: 'body', remedy?: string): void {
    const details = {
      attempts: this.#attempts,
      ...(err !== undefined && { err }),
      ...(phase !== undefined && { phase }),
      ...(remedy !== undefined && { remedy }),
    }
    this.runInAsyncScope(() => this.#context.logger.error(details, message))
  }

  #warn(message: string, more: object = {}): void {
    const details = { attempts: this.#attempts, ...more }
    this.runInAsyncScope(() => this.#context.logger.warn(details, message))
  }

  #finish(): void {
    this.#finished = true
    clearTimeout(this.#discardTimer)
    const { req, res } = this.#context
    offClientDisconnect(req, res, this.#onDisconnect)
    // The body was read up to bodyLength bytes and not to the end of the stream, where it would have closed its file.
    this.#context.spooled?.destroy()
    dropBody(req)
  }

  readonly #onDisconnect = (): void => {
    if (this.#finished || hasFinished(this.#context.req, this.#context.res)) return
    this.#control?.abort(new Error('the client has disconnected'))
  }
}
