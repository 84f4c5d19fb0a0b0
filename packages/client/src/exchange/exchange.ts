// One request and its response inside a pool: parses what the connection delivers and calls the handler.
import type { Readable } from 'node:stream'
import {
  type FastCGIError,
  ProtocolError,
  ProtocolStatus,
  ResponseHeadParser,
  type Role,
} from '@fastcgi/protocol'
import { callSafely, reportThrown } from '../callbacks.ts'
import { attemptChannel, publish } from '../diagnostics.ts'
import { AbortedError } from '../errors.ts'
import type { Timeouts } from '../options.ts'
import { mergeTimeouts, type PoolSettings } from '../options.ts'
import { type CheckPhaseTask, runInCheckPhase } from './check-phase.ts'
import { endErrorOf } from './end-error.ts'
import type { Figures } from './figures.ts'
import { roleOf, withDataParams } from './filter-data.ts'
import type { Attempt, AttemptEvent, DispatchControl, DispatchHandler } from './handler.ts'
import { asFastCGIError, tellError } from './handler-errors.ts'
import { encodeParams, methodOf, scriptOf } from './params.ts'
import type { FastCGIRequest, FilterData } from './request.ts'
import { type AttemptState, isIdempotent, mayRetry } from './retry.ts'
import { StderrLines } from './stderr-lines.ts'

/** Minimum size in bytes of a chunk that is lent to the handler. Below this a copy is cheaper. */
const MIN_LENT_SIZE = 256

/** Where an exchange currently is: in the queue of a pool or on a connection. */
export interface ExchangeHolder {
  /** Removes an aborted exchange; its handler is not called. */
  drop(exchange: Exchange): void
  /** Continues delivery after a pause. */
  resume(): void
}

/** The connection that a chunk of a response was read from. */
export interface Source {
  /** performance.now() of the last read. */
  readonly readAt: number
  /**
   * Lends the buffer of the last read: it stays unchanged until the returned function is called. Returns undefined when
   * the buffer is shared by all connections and will be overwritten by the next read.
   */
  lend(): (() => void) | undefined
}

/**
 * One request and its response, from dispatch to the call of `onEnd` or `onError`. A pool may send it several times
 * (see retry.ts); it keeps the state that decides whether it may.
 */
export class Exchange implements DispatchControl, AttemptState, CheckPhaseTask {
  readonly role: Role
  readonly params: Buffer
  readonly body: Buffer | Readable | null
  readonly bodyLength: number | undefined
  /** See {@link FastCGIRequest.disposeBody}. */
  readonly disposeBody: boolean
  /** Whether STDIN is sent, if only its end record. */
  readonly stdin: boolean
  /** The DATA stream of a request with the role filter, sent after STDIN. */
  readonly data: FilterData | undefined
  readonly idempotent: boolean
  /** See {@link FastCGIRequest.script}; '' if it is not known. */
  readonly script: string
  readonly timeouts: Timeouts
  /** performance.now() when it was dispatched. */
  readonly startedAt: number
  /** Number of attempts started. */
  attempts = 0
  /** Whether any part of a response arrived; the request is then not sent again. */
  responseStarted = false
  /** Whether a stream of the request has been read from, so that it cannot be sent again. */
  bodyUsed = false
  /** Whether the kernel accepted the first write of this attempt. Before that, the application cannot have begun. */
  sent = false
  /** Whether its connection had carried another request before. */
  reused = false
  /** Whether the connection was closed so soon after the request was written that the application cannot have begun. */
  stale = false
  /** Whether the application rejected it with FCGI_CANT_MPX_CONN, without having begun. */
  refused = false
  /** Whether idle connections are not used: one has failed it, or it could not be sent again if one did. */
  needsNewConnection = false
  /** performance.now(); older connections are not shared with it, because one of them has failed it. */
  minCreatedAt = 0
  /** Where it currently is; undefined before it is queued or sent, and after its end. */
  holder: ExchangeHolder | undefined
  // Links of the pool's queue, see pool/request-queue.ts.
  expiresAt: number | undefined
  previous: this | undefined
  next: this | undefined

  readonly #handler: DispatchHandler
  readonly #request: FastCGIRequest
  readonly #signal: AbortSignal | undefined
  readonly #maxHeadSize: number
  readonly #figures: Figures
  #head: ResponseHeadParser | undefined
  #stderr: StderrLines | undefined
  #stdoutEnded = false
  #attempt: Attempt | undefined
  #attemptAt = 0
  #done = false
  #appStatus = 0
  #status = 0

  /** @throws ParamsTooLargeError, ProtocolError when the params cannot be encoded; OptionError for `role` and `data`. */
  constructor(
    request: FastCGIRequest,
    handler: DispatchHandler,
    settings: PoolSettings,
    figures: Figures,
    now: number,
  ) {
    const { body, data, signal } = request
    this.role = roleOf(request)
    const params = encodeParams(request.params)
    this.params = data === undefined ? params : withDataParams(params, data)
    this.data = data
    // The stream is read only after STDIN. Without a listener, an error before that would end the process.
    data?.stream.on('error', ignore)
    this.body = typeof body === 'string' ? Buffer.from(body) : (body ?? null)
    this.bodyLength = request.bodyLength
    this.disposeBody = request.disposeBody === true
    this.stdin = request.stdin ?? true
    this.idempotent = isIdempotent(request)
    this.script = request.script ?? scriptOf(request.params)
    const fixed = this.body === null || Buffer.isBuffer(this.body)
    const again = this.idempotent && fixed && data === undefined
    this.needsNewConnection = !again && settings.reuse !== 'always'
    this.timeouts =
      request.timeouts === undefined
        ? settings.timeouts
        : mergeTimeouts(settings.timeouts, request.timeouts)
    this.startedAt = now
    this.#handler = handler
    this.#request = request
    this.#maxHeadSize = settings.maxHeadSize
    this.#figures = figures
    this.#head = new ResponseHeadParser({ maxBytes: settings.maxHeadSize })
    this.#signal = signal
    signal?.addEventListener('abort', this.#onSignal, { once: true })
  }

  get done(): boolean {
    return this.#done
  }

  /** Whether the signal had fired before the request was dispatched. */
  get abortedEarly(): boolean {
    return this.#signal?.aborted === true
  }

  /** Whether the response head is complete. */
  get headDone(): boolean {
    return this.#head === undefined
  }

  resume(): void {
    this.holder?.resume()
  }

  note(message: string, remedy?: string): void {
    this.#figures.noted(message, remedy)
  }

  abort(reason?: unknown): void {
    if (this.#done) return
    this.holder?.drop(this)
    this.fail(new AbortedError({ cause: reason }))
  }

  /** Begins an attempt. */
  started(attempt: Attempt, now: number): void {
    this.#attempt = attempt
    this.#attemptAt = now
    this.#figures.started(attempt, this.#bytes)
    try {
      this.#handler.onStart?.(attempt)
    } catch (error) {
      this.#handlerThrew(error)
    }
  }

  /** Bytes that an attempt sends, as far as they are known. */
  get #bytes(): number {
    const { body, bodyLength = 0 } = this
    const length = Buffer.isBuffer(body) ? body.length : bodyLength
    return this.params.length + length + (this.data?.length ?? 0)
  }

  /** Completes and publishes the current attempt. The exchange may continue with another one. */
  finishAttempt(outcome: string, now: number = performance.now()): void {
    const attempt = this.#attempt
    if (attempt === undefined) return
    this.#attempt = undefined
    attempt.totalTime = now - this.#attemptAt
    attempt.outcome = outcome
    if (attemptChannel.hasSubscribers) publish(attemptChannel, attemptEvent(attempt, this.#request))
  }

  /**
   * Processes STDOUT content; returns false when the handler asks for a pause.
   * @throws ProtocolError for an invalid response head, and for output after the end of STDOUT.
   */
  stdout(chunk: Buffer, source: Source): boolean {
    this.responseStarted = true
    if (this.#stdoutEnded)
      throw new ProtocolError('the application sent STDOUT data after the end of STDOUT')
    let rest = chunk
    while (this.#head !== undefined) {
      const end = this.#head.push(rest)
      if (end === -1) return true
      rest = rest.subarray(end)
      this.#takeHead(this.#head, source.readAt)
      if (this.#done) return true
    }
    if (rest.length === 0) return true
    this.#figures.bytesReceived += rest.length
    const handler = this.#handler
    const release = rest.length >= MIN_LENT_SIZE && handler.borrows ? source.lend() : undefined
    try {
      // The chunk is a view of the read buffer, which the next read overwrites. It is copied unless the buffer is lent.
      return release === undefined
        ? handler.onData(Buffer.from(rest))
        : handler.onData(rest, release)
    } catch (error) {
      return this.#handlerThrew(error)
    }
  }

  stdoutEnd(): void {
    this.responseStarted = true
    this.#stdoutEnded = true
  }

  stderr(chunk: Buffer): void {
    this.responseStarted = true
    if (this.#handler.onStderr === undefined) return
    this.#stderr ??= new StderrLines((line) =>
      callSafely('onStderr of a dispatch handler', () => this.#handler.onStderr?.(line)),
    )
    this.#stderr.push(chunk)
  }

  /** Called when all records of one read have been processed; returns false when the handler asks for a pause. */
  flush(): boolean {
    if (this.#done || this.#head !== undefined) return true
    try {
      return this.#handler.onFlush?.() !== false
    } catch (error) {
      return this.#handlerThrew(error)
    }
  }

  /** Returns the error that END_REQUEST means, or undefined when the response is complete. */
  endError(protocolStatus: number): FastCGIError | undefined {
    this.refused = protocolStatus === ProtocolStatus.CANT_MPX_CONN && this.#head !== undefined
    return endErrorOf(protocolStatus, this.#head)
  }

  /** Ends the exchange successfully; the handler is called in the check phase. */
  end(appStatus: number): void {
    this.#appStatus = appStatus
    runInCheckPhase(this)
  }

  onCheckPhase(now: number): void {
    if (this.#done) return
    this.#settle('ok', now)
    this.#figures.answered(this.#status, now - this.startedAt)
    try {
      this.#handler.onEnd(this.#appStatus)
    } catch (error) {
      reportThrown('onEnd of a dispatch handler', error)
    }
  }

  /** Ends the exchange with an error; has no effect when it has ended. */
  fail(error: FastCGIError): void {
    if (this.#done) return
    const retryable = mayRetry(this, error)
    this.#settle(error.code)
    this.#figures.failedWith(error)
    tellError(this.#handler, error, retryable)
  }

  #takeHead(head: ResponseHeadParser, now: number): void {
    if (head.status === 101)
      throw new ProtocolError('the application answered 101, but FastCGI cannot switch protocols')
    if (head.status < 200) {
      this.#head = new ResponseHeadParser({ maxBytes: this.#maxHeadSize })
      try {
        this.#handler.onInformational?.(head.status, head.headers)
      } catch (error) {
        this.#handlerThrew(error)
      }
    } else {
      this.#head = undefined
      this.#status = head.status
      const headTime = now - this.#attemptAt
      this.#figures.headTimes.observe(headTime)
      if (this.#attempt !== undefined) this.#attempt.headTime = headTime
      try {
        this.#handler.onHead(head.status, head.headers, head.reason, head.statusGiven)
      } catch (error) {
        this.#handlerThrew(error)
      }
    }
  }

  /**
   * A handler threw, or rejected what the application sent. The request fails with that error and leaves its connection;
   * other requests on the connection continue.
   */
  #handlerThrew(error: unknown): true {
    if (this.#done) reportThrown('a dispatch handler', error)
    else {
      this.holder?.drop(this)
      this.fail(asFastCGIError(error))
    }
    return true
  }

  #settle(outcome: string, now?: number): void {
    this.#stderr?.end()
    this.finishAttempt(outcome, now)
    this.#done = true
    this.holder = undefined
    this.#signal?.removeEventListener('abort', this.#onSignal)
  }

  readonly #onSignal = (): void => {
    this.abort(this.#signal?.reason)
  }
}

function ignore(): void {}

function attemptEvent(
  attempt: Attempt,
  { params, method, script, route }: FastCGIRequest,
): AttemptEvent {
  return {
    ...attempt,
    method: method ?? methodOf(params),
    script: script ?? (scriptOf(params) || undefined),
    route,
  }
}
