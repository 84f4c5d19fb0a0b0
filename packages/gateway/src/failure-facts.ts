// What a log record says of a failure beside its message.

import { FastCGIError, TimeoutError } from '@fastcgi/client'
import { errorAdvice } from './error-advice.ts'

/**
 * The part of an exchange that a request failed in: `request` its own head or target, `script` finding the script, `authorize`
 * asking an authorizer, `queue` waiting for a connection, `connect`, `send` sending the request, `request-body` receiving its
 * body, `head` and `body` of the response, `file` a file that is sent in its place, `client` the client that takes it.
 */
export type FailurePhase =
  | 'request'
  | 'script'
  | 'authorize'
  | 'queue'
  | 'connect'
  | 'send'
  | 'request-body'
  | 'head'
  | 'body'
  | 'file'
  | 'client'

/** Facts of a failure; those that are not known are undefined. */
export interface FailureFacts {
  readonly member: string | undefined
  readonly phase: FailurePhase | undefined
  /** Names of the options that the message names, separated by commas. */
  readonly option: string | undefined
  readonly remedy: string | undefined
}

const PHASES: Readonly<Record<string, FailurePhase>> = {
  FCGI_BAD_REQUEST: 'request',
  FCGI_TRANSFER_CODING: 'request',
  FCGI_DENIED: 'request',
  FCGI_PARAMS_TOO_LARGE: 'request',
  FCGI_ROOT: 'script',
  FCGI_REDIRECT_LOOP: 'script',
  FCGI_AUTHORIZER: 'authorize',
  FCGI_OVERLOADED: 'queue',
  FCGI_CLOSED: 'queue',
  FCGI_CONNECT: 'connect',
  FCGI_CONNECT_TIMEOUT: 'connect',
  FCGI_BODY_TRUNCATED: 'request-body',
  FCGI_BODY_CONSUMED: 'request-body',
  FCGI_BODY_TOO_LARGE: 'request-body',
  FCGI_BODY_TIMEOUT: 'request-body',
  FCGI_BODY_LENGTH_REQUIRED: 'request-body',
  FCGI_PREMATURE_CLOSE: 'head',
  FCGI_PROTOCOL: 'head',
  FCGI_SLOW_READER: 'body',
  FCGI_FILE_MISSING: 'file',
  FCGI_FILE_REFUSED: 'file',
  FCGI_FILE_TRUNCATED: 'file',
  FCGI_SEND_TIMEOUT: 'client',
}

const TIMEOUT_PHASES = { head: 'head', idle: 'body', write: 'send' } as const

/** The facts of an error; none of one that is not of these packages. */
export function failureFacts(error: unknown): Partial<FailureFacts> {
  const cause = causeOf(error)
  if (cause === undefined) return {}
  // An authorizer fails by an error of its exchange, which knows where.
  const inner = cause.cause instanceof FastCGIError ? cause.cause : cause
  return {
    member: inner.member ?? inner.address,
    phase: cause instanceof TimeoutError ? TIMEOUT_PHASES[cause.phase] : PHASES[cause.code],
    option: optionsIn(cause.message),
    remedy: errorAdvice(cause.code),
  }
}

/** The error itself, or that which a GatewayError wraps. */
function causeOf(error: unknown): FastCGIError | undefined {
  if (error instanceof FastCGIError) return error
  const { cause } = (error ?? {}) as { cause?: unknown }
  return cause instanceof FastCGIError ? cause : undefined
}

/** Every message names the options that govern it in parentheses. */
function optionsIn(message: string): string | undefined {
  const names = [...message.matchAll(/\(options? ([\w.]+(?:, [\w.]+)*)[):]/g)].map(
    ([, found]) => found,
  )
  return names.length === 0 ? undefined : names.join(', ')
}
