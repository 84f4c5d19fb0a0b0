// One exchange with an authorizer (FastCGI 1.0 §6.3).

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
import type { RequestLogger } from '../logger.ts'
import type { GatewayResponse } from '../response/gateway-response.ts'
import { Responder } from '../response/responder.ts'

/** The answer of an authorizer. */
export type Answer =
  | { readonly allowed: true; readonly headers: readonly string[] }
  | {
      readonly allowed: false
      /** Response for the client; undefined if the next guard is to decide. */
      readonly response: GatewayResponse | undefined
    }

/**
 * How a denial is passed on: `whole` sends the application's response with amended fields, `head` sends a response made of its
 * fields alone, `none` sends nothing because the next guard decides.
 */
export type Denial =
  | { readonly kind: 'whole'; amend(status: number, headers: string[]): string[] }
  | { readonly kind: 'head'; make(headers: string[]): GatewayResponse }
  | { readonly kind: 'none' }

/** The request that an {@link AuthorizerExchange} is about. */
export interface ExchangeContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly logger: RequestLogger
  readonly scriptFilename: string | undefined
  readonly denial: Denial
  /** Called once, with an answer or with an error. */
  done(error: Error | undefined, answer: Answer | undefined): void
}

/** Bytes of an unwanted body that are read before the exchange is aborted. */
const MAX_DISCARDED = 1_048_576

/**
 * One exchange with an authorizer. Status 200 allows the request, but only once the response is complete: if it breaks off
 * after the head, the authorizer has failed, and a failure denies.
 */
export class AuthorizerExchange implements DispatchHandler {
  readonly attempts: Attempt[] = []
  readonly #context: ExchangeContext
  #control: DispatchControl | undefined
  #answer: Answer | undefined
  /** Whether the authorizer has denied; a denial stands even if the rest of the response fails. */
  #refused = false
  /** Passes a denial on to the client. */
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
    // An application that sends this much is not an authorizer; its response might never end.
    if (this.#discarded > MAX_DISCARDED) this.#control?.abort(new Error(TOO_MUCH))
    return true
  }

  onFlush(): unknown {
    return this.#responder?.onFlush()
  }

  onStderr(line: string): void {
    this.#context.logger.warn({ attempts: this.attempts }, `stderr of the authorizer: ${line}`)
  }

  onEnd(): void {
    if (this.#responder !== undefined) this.#responder.onEnd()
    else this.#context.done(undefined, this.#answer)
  }

  onError(error: FastCGIError): void {
    const tooMuch = this.#discarded > MAX_DISCARDED
    const cause = tooMuch ? new PrematureCloseError(TOO_MUCH, { cause: error }) : error
    if (this.#responder !== undefined) this.#responder.onError(error)
    else this.#fail(cause)
  }

  /** A denial that breaks off still denies, even with the option failOpen: AuthorizerError is not let through. */
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

const TOO_MUCH = `the authorizer sent more than ${MAX_DISCARDED} bytes of a body, which is not used; is the application in option upstream an authorizer?`
