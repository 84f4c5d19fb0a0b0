// Maps the codes of errors to HTTP statuses, and makes the errors that frameworks answer with.

import { STATUS_CODES } from 'node:http'
import { FastCGIError } from '@fastcgi/client'
import { escapeControls } from '@fastcgi/client/internal'
import { StatusError } from './errors.ts'

/** HTTP status by error code; codes not listed here are 500. FCGI_STATUS has the application's. */
const STATUS: Readonly<Record<string, number>> = {
  FCGI_BAD_REQUEST: 400,
  FCGI_DENIED: 403,
  FCGI_BODY_TIMEOUT: 408,
  FCGI_BODY_LENGTH_REQUIRED: 411,
  FCGI_BODY_TOO_LARGE: 413,
  FCGI_FILE_MISSING: 404,
  FCGI_FILE_REFUSED: 403,
  FCGI_FILE_TRUNCATED: 500,
  FCGI_PARAMS_TOO_LARGE: 431,
  FCGI_BODY_CONSUMED: 500,
  FCGI_OPTION: 500,
  FCGI_ROOT: 500,
  FCGI_HANDLER: 500,
  FCGI_REDIRECT_LOOP: 500,
  FCGI_BODY_TRUNCATED: 400,
  FCGI_ABORTED: 499,
  FCGI_TRANSFER_CODING: 501,
  FCGI_CONNECT: 502,
  FCGI_PROTOCOL: 502,
  FCGI_PREMATURE_CLOSE: 502,
  FCGI_AUTHORIZER: 503,
  FCGI_CLOSED: 503,
  FCGI_OVERLOADED: 503,
  FCGI_CONNECT_TIMEOUT: 504,
  FCGI_TIMEOUT: 504,
  FCGI_SLOW_READER: 503,
}

const RETRY_AFTER_SECONDS = '1'

/** What clients get in place of the message, which names addresses and paths and is only logged. */
const PUBLIC_MESSAGE: Readonly<Record<number, string>> = {
  403: 'Forbidden',
  404: 'Not Found',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
}

/**
 * A failure in the shape of http-errors, from which Fastify and Express make an error page. `cause` is the original error;
 * its message names addresses and paths and is meant for the log.
 */
export class GatewayError extends Error {
  /** Code of the cause, for instance `FCGI_CONNECT`. */
  readonly code: string
  /** HTTP status, 400 to 599; the same as `status`. */
  readonly statusCode: number
  readonly status: number
  /** Whether frameworks may show `message` to clients: true for statuses below 500. */
  readonly expose: boolean
  /** Response fields to send with the status: Retry-After (seconds) with 503, those of a `StatusError`, else none. */
  readonly headers: Readonly<Record<string, string>>

  constructor(cause: FastCGIError) {
    const answered = cause instanceof StatusError ? cause : undefined
    const status = answered?.status ?? STATUS[cause.code] ?? 500
    const expose = status < 500
    super(
      answered === undefined ? publicMessage(status, cause) : (STATUS_CODES[status] ?? 'Error'),
      {
        cause,
      },
    )
    this.name = 'GatewayError'
    this.code = cause.code
    this.statusCode = this.status = status
    this.expose = expose
    this.headers =
      answered?.headers ?? (status === 503 ? { 'retry-after': RETRY_AFTER_SECONDS } : {})
  }
}

function publicMessage(status: number, { message }: FastCGIError): string {
  return PUBLIC_MESSAGE[status] ?? (status < 500 ? escapeControls(message) : 'Error')
}

/** Wraps any thrown value; an unknown one becomes FCGI_HANDLER (500). */
export function gatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error
  if (error instanceof FastCGIError) return new GatewayError(error)
  return new GatewayError(
    new FastCGIError('FCGI_HANDLER', `unexpected failure: ${error}`, { cause: error }),
  )
}
