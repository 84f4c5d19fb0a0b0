import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  AbortedError,
  type Attempt,
  type DispatchControl,
  type DispatchHandler,
  type FastCGIError,
  PrematureCloseError,
} from '@fastcgi/client'
import { GatewayError } from '../error-status.ts'
import { AuthorizerError } from '../errors.ts'
import type { GatewayLogger } from '../logger.ts'
import type { GatewayResponse } from '../response/gateway-response.ts'
import { Responder } from '../response/responder.ts'

/** What an authorizer said. */
export type Answer =
  | { readonly allowed: true; readonly headers: readonly string[] }
  | {
      readonly allowed: false
      /** For the client; undefined where the no is passed on to the next guard. */
      readonly response: GatewayResponse | undefined
    }

/** What a no means: the client gets it whole, a status and fields made of it, or nothing at all. */
export type Denial =
  | { readonly kind: 'whole'; amend(status: number, headers: string[]): string[] }
  | { readonly kind: 'head'; make(headers: string[]): GatewayResponse }
  | { readonly kind: 'none' }

/** What an {@link AuthorizerExchange} has to know. */
export interface ExchangeContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly logger: GatewayLogger
  readonly scriptFilename: string | undefined
  readonly denial: Denial
  /** Called once: with an answer, or with the reason why there is none. */
  done(error: Error | undefined, answer: Answer | undefined): void
}

/** How much of a body that nobody wants is read. */
const MOST_DISCARDED = 1_048_576

/**
 * One question to an authorizer (FastCGI 1.0 §6.3). Status 200 allows, but not before the answer is whole: what breaks off
 * behind a head that allows is a failure, and a failure denies.
 */
export class AuthorizerExchange implements DispatchHandler {
  readonly attempts: Attempt[] = []
  readonly #context: ExchangeContext
  #control: DispatchControl | undefined
  #answer: Answer | undefined
  /** Whether it has said no: that stands, whatever becomes of the rest. */
  #refused = false
  /** Carries a no to the client. */
  #responder: Responder | undefined
  #discarded = 0

  constructor(context: ExchangeContext) {
    this.#context = context
  }

  /** The control of the exchange. */
  set control(control: DispatchControl) {
    this.#control = control
    if (this.#responder !== undefined) this.#responder.control = control
  }

  onStart(attempt: Attempt): void {
    this.attempts.push(attempt)
  }

  onHead(status: number, headers: string[], reason: string, statusGiven: boolean): void {
    const { denial } = this.#context
    this.#refused = status !== 200
    if (status === 200) this.#answer = { allowed: true, headers }
    else if (denial.kind === 'none') this.#answer = { allowed: false, response: undefined }
    else if (denial.kind === 'head')
      this.#answer = { allowed: false, response: denial.make(headers) }
    else this.#respond().onHead(status, denial.amend(status, headers), reason, statusGiven)
  }

  get borrows(): boolean {
    return this.#responder?.borrows === true
  }

  onData(chunk: Buffer, release?: () => void): boolean {
    if (this.#responder !== undefined) return this.#responder.onData(chunk, release)
    this.#discarded += chunk.length
    // Whatever this is, it is no authorizer; to go on reading would be to wait for ever.
    if (this.#discarded > MOST_DISCARDED) this.#control?.abort(new Error(TOO_MUCH))
    return true
  }

  onFlush(): unknown {
    return this.#responder?.onFlush()
  }

  onStderr(line: string): void {
    const { logger, scriptFilename } = this.#context
    const address = this.attempts.at(-1)?.address
    logger.warn({ address, scriptFilename }, `stderr of the authorizer: ${line}`)
  }

  onEnd(): void {
    if (this.#responder !== undefined) this.#responder.onEnd()
    else this.#context.done(undefined, this.#answer)
  }

  onError(error: FastCGIError): void {
    const tooMuch = this.#discarded > MOST_DISCARDED
    const cause = tooMuch ? new PrematureCloseError(TOO_MUCH, { cause: error }) : error
    if (this.#responder !== undefined) this.#responder.onError(error)
    else this.#fail(cause)
  }

  /** A no that breaks off is no reason to let anybody through, not even with the option failOpen. */
  #fail(error: Error): void {
    const cause = error instanceof GatewayError ? (error.cause as Error) : error
    const broken = this.#refused && !(cause instanceof AbortedError)
    const message = `denied; the authorizer's answer broke off: ${cause.message}`
    this.#context.done(broken ? new AuthorizerError(message, { cause }) : cause, undefined)
  }

  #respond(): Responder {
    const { req, res, logger, scriptFilename, done } = this.#context
    const responder = new Responder({
      req,
      res,
      logger,
      scriptFilename,
      spooled: undefined,
      done: (error, response) => {
        if (error === undefined) done(undefined, { allowed: false, response })
        else this.#fail(error)
      },
    })
    for (const attempt of this.attempts) responder.onStart(attempt)
    if (this.#control !== undefined) responder.control = this.#control
    this.#responder = responder
    return responder
  }
}

const TOO_MUCH = `the authorizer goes on sending after ${MOST_DISCARDED} bytes of a body that nobody reads; is it an authorizer?`
