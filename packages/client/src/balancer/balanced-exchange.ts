import type { Readable } from 'node:stream'
import { encodeNameValues, type FastCGIError } from '@fastcgi/protocol'
import type { Attempt, DispatchControl, DispatchHandler, FastCGIRequest } from '../dispatcher.ts'
import { AbortedError } from '../errors.ts'
import { encodeParams } from '../params.ts'
import type { Member } from './member.ts'

/** Who decides about a balanced exchange: its balancer. */
export interface ExchangeOwner {
  /** An attempt failed. The owner starts another one, or fails the exchange. */
  onAttemptFailed(
    exchange: BalancedExchange,
    member: Member,
    error: FastCGIError,
    retryable: boolean,
  ): void
  /** A member answered. */
  onAnswered(member: Member, status: number): void
  /** It is over, one way or the other. */
  onOver(exchange: BalancedExchange, failed: boolean): void
}

/** One request on its way through the members, until one has answered or none is left. */
export class BalancedExchange implements DispatchHandler, DispatchControl {
  readonly request: FastCGIRequest
  /** Members that have failed it. */
  readonly tried: Set<Member> = new Set()
  /** When it came, as of performance.now(). */
  readonly startedAt: number
  /** Replaces the request's body: a stream that was short enough to be kept. */
  body: Buffer | Readable | string | null

  readonly #handler: DispatchHandler
  readonly #owner: ExchangeOwner
  readonly #params: Buffer
  #member: Member | undefined
  #control: DispatchControl | undefined
  #status = 0
  #attemptAt = 0
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
    request.signal?.addEventListener('abort', this.#onSignal, { once: true })
  }

  get over(): boolean {
    return this.#over
  }

  /** Sends it to a member, with the balancer's own params. */
  start(member: Member, params: Readonly<Record<string, string>>): void {
    this.#member = member
    this.#status = 0
    this.#attemptAt = performance.now()
    member.health.chosen()
    const block = Buffer.concat([this.#params, encodeNameValues(Object.entries(params))])
    member.counters.connected++
    member.counters.load++
    member.counters.bytesSent += block.length + (this.request.bodyLength ?? 0)
    const { signal: _, ...request } = this.request
    const control = member.dispatcher.dispatch({ ...request, body: this.body, params: block }, this)
    if (this.#over) control.abort()
    else this.#control = control
  }

  resume(): void {
    this.#control?.resume()
  }

  abort(reason?: unknown): void {
    if (this.#over) return
    const control = this.#control
    this.#member?.health.undecided()
    this.fail(new AbortedError({ cause: reason }))
    control?.abort(reason)
  }

  /** Gives up. */
  fail(error: FastCGIError): void {
    if (this.#over) return
    this.#finish()
    this.#owner.onOver(this, true)
    this.#handler.onError(error, false)
  }

  // ---- what the member's dispatcher tells

  onStart(attempt: Attempt): void {
    this.#handler.onStart?.(attempt)
  }

  onInformational(status: number, headers: string[]): void {
    this.#handler.onInformational?.(status, headers)
  }

  onHead(status: number, headers: string[], reason: string): void {
    this.#status = status
    this.#member?.headTimes.observe(performance.now() - this.#attemptAt)
    this.#handler.onHead(status, headers, reason)
  }

  onData(chunk: Buffer): boolean {
    if (this.#member !== undefined) this.#member.counters.bytesReceived += chunk.length
    return this.#handler.onData(chunk)
  }

  onFlush(): void {
    this.#handler.onFlush?.()
  }

  onStderr(line: string): void {
    this.#handler.onStderr?.(line)
  }

  onEnd(appStatus: number): void {
    if (this.#over) return
    const member = this.#member
    member?.totalTimes.observe(performance.now() - this.#attemptAt)
    this.#finish()
    if (member !== undefined) this.#owner.onAnswered(member, this.#status)
    this.#owner.onOver(this, false)
    this.#handler.onEnd(appStatus)
  }

  onError(error: FastCGIError, retryable: boolean): void {
    const member = this.#leaveMember()
    if (this.#over || member === undefined) return
    this.tried.add(member)
    this.#owner.onAttemptFailed(this, member, error, retryable)
  }

  #leaveMember(): Member | undefined {
    const member = this.#member
    this.#member = this.#control = undefined
    if (member !== undefined) member.counters.load--
    return member
  }

  #finish(): void {
    this.#over = true
    this.#leaveMember()
    this.request.signal?.removeEventListener('abort', this.#onSignal)
  }

  readonly #onSignal = (): void => this.abort(this.request.signal?.reason)
}
