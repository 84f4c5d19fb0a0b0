import type { Readable } from 'node:stream'
import {
  FastCGIError,
  ProtocolError,
  ProtocolStatus,
  ResponseHeadParser,
  type Role,
} from '@fastcgi/protocol'
import { publishAttempt } from '../diagnostics.ts'
import { AbortedError, OverloadedError } from '../errors.ts'
import type { Timeouts } from '../options.ts'
import { mergeTimeouts, type PoolSettings } from '../options.ts'
import { type CheckPhaseTask, runInCheckPhase } from './check-phase.ts'
import { roleOf, withDataParams } from './filter-data.ts'
import type { Attempt, DispatchControl, DispatchHandler } from './handler.ts'
import { encodeParams } from './params.ts'
import type { FastCGIRequest, FilterData } from './request.ts'
import { type AttemptState, isIdempotent, mayRetry } from './retry.ts'
import { StderrLines } from './stderr-lines.ts'

/** Bytes of a piece from which on lending it is worth more than what a copy costs. */
const LEAST_LENT = 256

/** Whoever has an exchange at the moment: the queue of a pool or a connection. */
export interface ExchangeHolder {
  /** The exchange was given up; drop it without a word. */
  drop(exchange: Exchange): void
  /** The handler can take more. */
  resume(): void
}

/** Where a piece of a response comes from. */
export interface Source {
  /** When it was read, as of performance.now(). */
  readonly readAt: number
  /** Keeps it valid for longer than it is handed in, until what is returned is called; undefined where that cannot be. */
  lend(): (() => void) | undefined
}

/** One request and its response, wherever they are: waiting, on a connection, on the next one after a retry. */
export class Exchange implements DispatchControl, AttemptState, CheckPhaseTask {
  readonly role: Role
  readonly params: Buffer
  readonly body: Buffer | Readable | null
  readonly bodyLength: number | undefined
  /** Whether memory of a streamed body is freed once it has been sent. */
  readonly disposeBody: boolean
  /** Whether there is a STDIN stream, be it empty. */
  readonly stdin: boolean
  /** What follows STDIN, where the role is filter. */
  readonly data: FilterData | undefined
  readonly idempotent: boolean
  readonly timeouts: Timeouts
  /** When it was dispatched, as of performance.now(). */
  readonly startedAt: number
  /** Attempts begun. */
  attempts = 0
  /** Whether anything of a response came: from then on there is no other try. */
  arrived = false
  /** Whether a stream of the request has been touched: it cannot be sent again. */
  bodyTouched = false
  /** Whether the system has taken the first write of this attempt: before that, the application cannot have begun. */
  sent = false
  /** Whether its connection had carried requests before. */
  reused = false
  /** Whether the application said that it did not begin, because it cannot multiplex. */
  refused = false
  /** Whether it is not to go on a kept connection: one has failed it, or it could not be sent again if one did. */
  needsNew = false
  /** It shares no connection made before this time, for one of those has failed it. */
  sharesFrom = 0
  holder: ExchangeHolder | undefined
  // Links of the pool's queue, see pool/request-queue.ts.
  waitsUntil: number | undefined
  before: this | undefined
  behind: this | undefined

  readonly #handler: DispatchHandler
  readonly #signal: AbortSignal | undefined
  readonly #maxHeadSize: number
  #head: ResponseHeadParser | undefined
  #stderr: StderrLines | undefined
  #stdoutEnded = false
  #attempt: Attempt | undefined
  #attemptAt = 0
  #done = false
  #appStatus = 0

  /** @throws ParamsTooLargeError, ProtocolError when the params cannot be encoded; OptionError for role and data. */
  constructor(
    request: FastCGIRequest,
    handler: DispatchHandler,
    settings: PoolSettings,
    now: number,
  ) {
    const { body, data, signal } = request
    this.role = roleOf(request)
    const params = encodeParams(request.params)
    this.params = data === undefined ? params : withDataParams(params, data)
    this.data = data
    // It is read when STDIN has been sent; that it breaks before must not end the process.
    data?.stream.on('error', ignore)
    this.body = typeof body === 'string' ? Buffer.from(body) : (body ?? null)
    this.bodyLength = request.bodyLength
    this.disposeBody = request.disposeBody === true
    this.stdin = request.stdin ?? true
    this.idempotent = isIdempotent(request)
    const fixed = this.body === null || Buffer.isBuffer(this.body)
    const again = this.idempotent && fixed && data === undefined
    this.needsNew = !again && settings.reuse !== 'always'
    this.timeouts =
      request.timeouts === undefined
        ? settings.timeouts
        : mergeTimeouts(settings.timeouts, request.timeouts)
    this.startedAt = now
    this.#handler = handler
    this.#maxHeadSize = settings.maxHeadSize
    this.#head = new ResponseHeadParser({ maxBytes: settings.maxHeadSize })
    this.#signal = signal
    signal?.addEventListener('abort', this.#onSignal, { once: true })
  }

  get done(): boolean {
    return this.#done
  }

  /** Whether the signal had fired before there was anything to give up. */
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

  abort(reason?: unknown): void {
    if (this.#done) return
    this.holder?.drop(this)
    this.fail(new AbortedError({ cause: reason }))
  }

  /** An attempt begins. */
  started(attempt: Attempt, now: number): void {
    this.#attempt = attempt
    this.#attemptAt = now
    this.#handler.onStart?.(attempt)
  }

  /** The attempt is over; the exchange may go on with another one. */
  finishAttempt(outcome: string, now: number = performance.now()): void {
    const attempt = this.#attempt
    if (attempt === undefined) return
    this.#attempt = undefined
    attempt.totalTime = now - this.#attemptAt
    attempt.outcome = outcome
    publishAttempt(attempt)
  }

  /**
   * Takes output; returns false when the handler wants a pause.
   * @throws ProtocolError
   */
  stdout(chunk: Buffer, source: Source): boolean {
    this.arrived = true
    if (this.#stdoutEnded) throw new ProtocolError('STDOUT goes on after its end')
    let rest = chunk
    while (this.#head !== undefined) {
      const end = this.#head.push(rest)
      if (end === -1) return true
      rest = rest.subarray(end)
      this.#takeHead(this.#head, source.readAt)
      if (this.#done) return true
    }
    if (rest.length === 0) return true
    const handler = this.#handler
    const release = rest.length >= LEAST_LENT && handler.borrows ? source.lend() : undefined
    // The chunk is a view of what the next read goes into: what is kept must be copied.
    return release === undefined ? handler.onData(Buffer.from(rest)) : handler.onData(rest, release)
  }

  stdoutEnd(): void {
    this.arrived = true
    this.#stdoutEnded = true
  }

  stderr(chunk: Buffer): void {
    this.arrived = true
    if (this.#handler.onStderr === undefined) return
    this.#stderr ??= new StderrLines((line) => this.#handler.onStderr?.(line))
    this.#stderr.push(chunk)
  }

  /** All of one read has been handed in; returns false when the handler wants a pause. */
  flush(): boolean {
    return this.#done || this.#head !== undefined || this.#handler.onFlush?.() !== false
  }

  /** What END_REQUEST means as a failure, or undefined when the response is complete. */
  judgeEnd(protocolStatus: number): FastCGIError | undefined {
    if (protocolStatus === ProtocolStatus.OVERLOADED)
      return new OverloadedError('the application is overloaded (FCGI_OVERLOADED)')
    this.refused = protocolStatus === ProtocolStatus.CANT_MPX_CONN && this.#head !== undefined
    if (protocolStatus === ProtocolStatus.CANT_MPX_CONN)
      return new ProtocolError('the application cannot multiplex (FCGI_CANT_MPX_CONN)')
    if (protocolStatus === ProtocolStatus.UNKNOWN_ROLE)
      return new ProtocolError('the application does not know the role (FCGI_UNKNOWN_ROLE)')
    if (protocolStatus !== ProtocolStatus.REQUEST_COMPLETE)
      return new ProtocolError(`unknown protocol status ${protocolStatus} in END_REQUEST`)
    if (this.#head !== undefined)
      return new ProtocolError(
        this.#head.untouched
          ? 'the application ended the request without any output'
          : 'the application ended the request inside the response head',
      )
    return undefined
  }

  /** The response is complete. */
  end(appStatus: number): void {
    this.#appStatus = appStatus
    runInCheckPhase(this)
  }

  onCheckPhase(now: number): void {
    if (this.#done) return
    this.#settle('ok', now)
    this.#handler.onEnd(this.#appStatus)
  }

  fail(error: FastCGIError): void {
    if (this.#done) return
    const retryable = mayRetry(this, error)
    this.#settle(error.code)
    this.#handler.onError(error, retryable)
  }

  #takeHead(head: ResponseHeadParser, now: number): void {
    if (head.status === 101)
      throw new ProtocolError('the application answers 101, FastCGI cannot switch protocols')
    if (head.status < 200) {
      this.#head = new ResponseHeadParser({ maxBytes: this.#maxHeadSize })
      this.#handler.onInformational?.(head.status, head.headers)
    } else {
      this.#head = undefined
      if (this.#attempt !== undefined) this.#attempt.headTime = now - this.#attemptAt
      this.#handler.onHead(head.status, head.headers, head.reason, head.statusGiven)
    }
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

/** Turns what a handler, or a function among the options, threw into an error of ours. */
export function asFastCGIError(error: unknown): FastCGIError {
  return error instanceof FastCGIError
    ? error
    : new FastCGIError(
        'FCGI_HANDLER',
        `a handler or an option that is a function threw: ${error}`,
        { cause: error },
      )
}
