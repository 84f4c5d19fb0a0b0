import type { Readable } from 'node:stream'
import type { FastCGIError } from '@fastcgi/protocol'
import { AbortedError } from '../errors.ts'
import type { Attempt, DispatchControl, DispatchHandler } from '../exchange/handler.ts'
import { encodeParams } from '../exchange/params.ts'
import type { FastCGIRequest } from '../exchange/request.ts'
import { isIdempotent } from '../exchange/retry.ts'
import type { Member } from './members/member.ts'
import type { Intake } from './replay.ts'

/** Who decides about a balanced exchange: its balancer. */
export interface ExchangeOwner {
  /** An attempt failed. The owner starts another one, or fails the exchange. */
  onAttemptFailed(
    exchange: BalancedExchange,
    member: Member,
    error: FastCGIError,
    retryable: boolean,
    probe: boolean,
  ): void
  /** A member answered. */
  onAnswered(member: Member, status: number, probe: boolean): void
  /** A probe was given up; nothing was learnt of its member. */
  onUndecided(member: Member): void
  /** It is over, one way or the other. */
  onOver(exchange: BalancedExchange, failed: boolean): void
}

/** One request on its way through the members, until one has answered or none is left. */
export class BalancedExchange implements DispatchHandler, DispatchControl {
  readonly inner = true
  readonly request: FastCGIRequest
  /** Members that have failed it. */
  readonly tried: Set<Member> = new Set()
  /** When it came, as of performance.now(). */
  readonly startedAt: number
  /** Replaces the request's body: a stream that was short enough to be kept. */
  body: Buffer | Readable | string | null
  /** What the last attempt failed with. */
  lastError: FastCGIError | undefined
  /** Takes the body in, at first. */
  intake: Intake | undefined

  readonly #handler: DispatchHandler
  readonly #owner: ExchangeOwner
  readonly #params: Buffer
  readonly #idempotent: boolean
  #member: Member | undefined
  #control: DispatchControl | undefined
  #status = 0
  #attemptAt = 0
  /** Whether the attempt tries out a member that was out, and nothing is known yet. */
  #probe = false
  /** Whether its owner has been told that the member answers. */
  #judged = false
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
    // Of encoded params, members could not tell.
    this.#idempotent = isIdempotent(request)
    request.signal?.addEventListener('abort', this.#onSignal, { once: true })
  }

  get over(): boolean {
    return this.#over
  }

  /**
   * Sends it to a member, with the balancer's own params.
   * @throws ParamsTooLargeError, ProtocolError when those cannot be encoded.
   */
  start(member: Member, params: Readonly<Record<string, string>>): void {
    const block = Buffer.concat([this.#params, encodeParams(params)])
    this.#member = member
    this.#status = 0
    this.#attemptAt = performance.now()
    this.#probe = member.health.chosen()
    this.#judged = false
    member.counters.connected++
    member.counters.load++
    member.counters.bytesSent += block.length + this.#bodyLength()
    const { signal: _, ...request } = this.request
    const control = member.dispatcher.dispatch(
      { ...request, idempotent: this.#idempotent, body: this.body, params: block },
      this,
    )
    if (this.#over) control.abort()
    // One that fails at once has handed it on to the next member already.
    else if (this.#member === member) this.#control = control
  }

  resume(): void {
    this.#control?.resume()
  }

  abort(reason?: unknown): void {
    this.giveUp(new AbortedError({ cause: reason }), reason)
  }

  /** Fails it, wherever it is, and whoever has it lets go of it. */
  giveUp(error: FastCGIError, reason?: unknown): void {
    if (this.#over) return
    const control = this.#control
    const probed = this.#probe ? this.#member : undefined
    this.#probe = false
    if (probed !== undefined) this.#owner.onUndecided(probed)
    this.fail(error)
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

  onHead(status: number, headers: string[], reason: string, statusGiven: boolean): void {
    this.#status = status
    this.#member?.headTimes.observe(performance.now() - this.#attemptAt)
    // The body may take hours, as a stream of events does.
    if (this.#probe && this.#member !== undefined) {
      this.#probe = false
      this.#judged = true
      this.#owner.onAnswered(this.#member, status, true)
    }
    this.#handler.onHead(status, headers, reason, statusGiven)
  }

  get borrows(): boolean {
    return this.#handler.borrows === true
  }

  onData(chunk: Buffer, release?: () => void): boolean {
    if (this.#member !== undefined) this.#member.counters.bytesReceived += chunk.length
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
    member?.totalTimes.observe(performance.now() - this.#attemptAt)
    const [judged, probe] = [this.#judged, this.#probe]
    this.#finish()
    if (member !== undefined && !judged) this.#owner.onAnswered(member, this.#status, probe)
    this.#owner.onOver(this, false)
    this.#handler.onEnd(appStatus)
  }

  onError(error: FastCGIError, retryable: boolean): void {
    const member = this.#leaveMember()
    if (this.#over || member === undefined) return
    const probe = this.#probe
    this.#probe = false
    this.tried.add(member)
    this.#owner.onAttemptFailed(this, member, error, retryable, probe)
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
    this.intake?.stop()
    this.#leaveMember()
    this.request.signal?.removeEventListener('abort', this.#onSignal)
  }

  readonly #onSignal = (): void => this.abort(this.request.signal?.reason)
}
