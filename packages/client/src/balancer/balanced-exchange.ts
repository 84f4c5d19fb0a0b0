// One request in a balancer: sends it to a member, and passes the response on to the handler of the caller.
import type { Readable } from 'node:stream'
import type { FastCGIError } from '@fastcgi/protocol'
import { AbortedError, PrematureCloseError } from '../errors.ts'
import type { Attempt, DispatchControl, DispatchHandler } from '../exchange/handler.ts'
import { tellError } from '../exchange/handler-errors.ts'
import { encodeParams, scriptOf } from '../exchange/params.ts'
import type { FastCGIRequest } from '../exchange/request.ts'
import { isIdempotent } from '../exchange/retry.ts'
import type { Member } from './members/member.ts'
import type { BodyCollector } from './replay.ts'

/** Receives the events of a balanced exchange; implemented by the balancer. */
export interface ExchangeOwner {
  /** An attempt failed. The owner starts another one or fails the exchange. `probe`: see `Health.chosen()`. */
  onAttemptFailed(
    exchange: BalancedExchange,
    member: Member,
    error: FastCGIError,
    retryable: boolean,
    probe: boolean,
  ): void
  /** A member answered. */
  onAnswered(member: Member, status: number, probe: boolean): void
  /** A probe was aborted by its caller; the state of its member is still unknown. */
  onUndecided(member: Member): void
  /** The exchange has ended. */
  onOver(exchange: BalancedExchange, failed: boolean): void
}

/** One request, which is sent to one member after another until one has answered or it may not be sent again. */
export class BalancedExchange implements DispatchHandler, DispatchControl {
  readonly inner = true
  readonly request: FastCGIRequest
  /** Members on which an attempt has failed. */
  readonly tried: Set<Member> = new Set()
  /** performance.now() when it was dispatched. */
  readonly startedAt: number
  /** The body that is sent: that of the request, or the Buffer that its stream was read into. */
  body: Buffer | Readable | string | null
  /** Error of the last attempt. */
  lastError: FastCGIError | undefined
  /** Reads a short body stream before the first attempt. */
  bodyCollector: BodyCollector | undefined

  readonly #handler: DispatchHandler
  readonly #owner: ExchangeOwner
  readonly #params: Buffer
  readonly #idempotent: boolean
  readonly #script: string
  #member: Member | undefined
  #control: DispatchControl | undefined
  #status = 0
  #attemptAt = 0
  /** Whether the attempt is a probe (see `Health.chosen()`) whose outcome has not been reported. */
  #probe = false
  /** Whether `onAnswered` has been called for this attempt. */
  #answerReported = false
  /** Whether the attempt has been counted as sent, and how many bytes it sends. */
  #sent = false
  #bytes = 0
  /** A failure after which the application may have begun with the request. */
  #begun: PrematureCloseError | undefined
  #over = false

  /** @throws ParamsTooLargeError, ProtocolError when the params cannot be encoded. */
  constructor(
    request: FastCGIRequest,
    handler: DispatchHandler,
    owner: ExchangeOwner,
    now: number,
  ) {
    this.request = request
    this.startedAt = now
    this.body = request.body ?? null
    this.#handler = handler
    this.#owner = owner
    this.#params = encodeParams(request.params)
    this.#script = request.script ?? scriptOf(request.params)
    // Decided here, because the members receive encoded params, from which the method cannot be read.
    this.#idempotent = isIdempotent(request)
    request.signal?.addEventListener('abort', this.#onSignal, { once: true })
  }

  get over(): boolean {
    return this.#over
  }

  /**
   * Starts an attempt on a member.
   * @param params the BALANCER_ params, which are appended to those of the request.
   * @throws ParamsTooLargeError, ProtocolError when they cannot be encoded.
   */
  start(member: Member, params: Readonly<Record<string, string>>): void {
    const block = Buffer.concat([this.#params, encodeParams(params)])
    this.#member = member
    this.#status = 0
    this.#attemptAt = performance.now()
    this.#probe = member.health.chosen()
    this.#answerReported = false
    this.#sent = false
    this.#bytes = block.length + this.#bodyLength()
    member.counters.load++
    const { signal: _, ...request } = this.request
    const control = member.dispatcher.dispatch(
      {
        ...request,
        idempotent: this.#idempotent,
        script: this.#script,
        body: this.body,
        params: block,
      },
      this,
    )
    if (this.#over) control.abort()
    // When the attempt failed synchronously, another member may already have the request.
    else if (this.#member === member) this.#control = control
  }

  resume(): void {
    this.#control?.resume()
  }

  note(message: string, remedy?: string): void {
    const member = this.#member
    if (member === undefined) return
    member.lastError = { message, remedy, at: new Date() }
    if (member.observes) member.figures.noted(message, remedy)
    this.#control?.note?.(message, remedy)
  }

  abort(reason?: unknown): void {
    this.giveUp(new AbortedError({ cause: reason }), reason)
  }

  /** Fails the exchange and aborts its current attempt. */
  giveUp(error: FastCGIError, reason?: unknown): void {
    if (this.#over) return
    const control = this.#control
    const probed = this.#probe ? this.#member : undefined
    this.#probe = false
    if (probed !== undefined) this.#owner.onUndecided(probed)
    if (this.#member?.observes) this.#member.figures.failedWith(error)
    this.fail(error, false)
    control?.abort(reason)
  }

  /**
   * Fails the exchange, which must not be active on a member.
   * @param retryable whether an outer dispatcher may send the request to another member.
   */
  fail(error: FastCGIError, retryable: boolean): void {
    if (this.#over) return
    // A body stream that was collected here cannot be read again by an outer dispatcher.
    const hasBody = this.bodyCollector === undefined
    this.#finish()
    this.#owner.onOver(this, true)
    // FCGI_OVERLOADED promises that no application has begun, which an earlier attempt may have broken.
    const told = error.code === 'FCGI_OVERLOADED' ? (this.#begun ?? error) : error
    tellError(this.#handler, told, retryable && hasBody)
  }

  // ---- events of the member's dispatcher

  onStart(attempt: Attempt): void {
    this.#countSent()
    if (this.#member?.observes) this.#member.figures.started(attempt, this.#bytes)
    // The innermost balancer is the one that knows the application.
    if (this.#member !== undefined) attempt.member ??= this.#member.name
    this.#handler.onStart?.(attempt)
  }

  onInformational(status: number, headers: string[]): void {
    this.#handler.onInformational?.(status, headers)
  }

  onHead(status: number, headers: string[], reason: string, statusGiven: boolean): void {
    this.#status = status
    this.#countSent()
    if (this.#member?.observes) this.#member.headTimes.observe(performance.now() - this.#attemptAt)
    // A probe is decided by the response head: the body, for instance of server-sent events, may take hours.
    if (this.#probe && this.#member !== undefined) {
      this.#probe = false
      this.#answerReported = true
      this.#owner.onAnswered(this.#member, status, true)
    }
    this.#handler.onHead(status, headers, reason, statusGiven)
  }

  get borrows(): boolean {
    return this.#handler.borrows === true
  }

  onData(chunk: Buffer, release?: () => void): boolean {
    const member = this.#member
    if (member !== undefined) {
      member.counters.bytesReceived += chunk.length
      if (member.observes) member.figures.bytesReceived += chunk.length
    }
    return this.#handler.onData(chunk, release)
  }

  onFlush(): unknown {
    return this.#handler.onFlush?.()
  }

  onStderr(line: string): void {
    this.#handler.onStderr?.(line)
  }

  onEnd(appStatus: number): void {
    if (this.#over) return
    const member = this.#member
    if (member?.observes) member.figures.answered(this.#status, performance.now() - this.#attemptAt)
    const [answerReported, probe] = [this.#answerReported, this.#probe]
    this.#finish()
    if (member !== undefined && !answerReported) this.#owner.onAnswered(member, this.#status, probe)
    this.#owner.onOver(this, false)
    this.#handler.onEnd(appStatus)
  }

  onError(error: FastCGIError, retryable: boolean): void {
    const member = this.#leaveMember()
    if (this.#over || member === undefined) return
    if (member.observes) member.figures.failedWith(error)
    const probe = this.#probe
    this.#probe = false
    this.tried.add(member)
    error.member ??= member.name
    if (error instanceof PrematureCloseError && error.begun) this.#begun = error
    this.#owner.onAttemptFailed(this, member, error, retryable, probe)
  }

  /** Counts the attempt as sent, once it has a connection. A pool may begin it several times. */
  #countSent(): void {
    if (this.#sent || this.#member === undefined) return
    this.#sent = true
    this.#member.counters.connected++
    this.#member.counters.bytesSent += this.#bytes
  }

  #bodyLength(): number {
    const { body } = this
    const { bodyLength = 0, data } = this.request
    const known = typeof body === 'string' || Buffer.isBuffer(body)
    return (known ? Buffer.byteLength(body) : bodyLength) + (data?.length ?? 0)
  }

  #leaveMember(): Member | undefined {
    const member = this.#member
    this.#member = this.#control = undefined
    member?.left()
    return member
  }

  #finish(): void {
    this.#over = true
    this.bodyCollector?.stop()
    this.#leaveMember()
    this.request.signal?.removeEventListener('abort', this.#onSignal)
  }

  readonly #onSignal = (): void => this.abort(this.request.signal?.reason)
}
