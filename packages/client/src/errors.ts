import { FastCGIError } from '@fastcgi/protocol'

/** An option has a value it cannot have, or a name nobody knows. Thrown where options are given. */
export class OptionError extends FastCGIError {
  constructor(message: string) {
    super('FCGI_OPTION', message)
  }
}

/** No connection could be made: refused, no such socket, no permission, unknown host. */
export class ConnectError extends FastCGIError {
  constructor(message: string, options?: ErrorOptions) {
    super('FCGI_CONNECT', message, options)
  }
}

/** No connection within `timeouts.connect`. */
export class ConnectTimeoutError extends FastCGIError {
  constructor(message: string, options?: ErrorOptions) {
    super('FCGI_CONNECT_TIMEOUT', message, options)
  }
}

/** Nobody has room for the request now: queue full or too slow, backlog full, or the application says OVERLOADED. */
export class OverloadedError extends FastCGIError {
  constructor(message: string, options?: ErrorOptions) {
    super('FCGI_OVERLOADED', message, options)
  }
}

/** The application closed the connection before END_REQUEST: what arrived so far is not the whole response. */
export class PrematureCloseError extends FastCGIError {
  /** Whether the application may have begun with the request; false where the request was never written. @default true */
  readonly begun: boolean

  constructor(message: string, options?: ErrorOptions & { begun?: boolean }) {
    super('FCGI_PREMATURE_CLOSE', message, options)
    this.begun = options?.begun ?? true
  }
}

/** What a {@link TimeoutError} waited for. */
export type TimeoutPhase = 'head' | 'idle' | 'write'

/** Nothing moved for as long as one of the named timeouts allows. */
export class TimeoutError extends FastCGIError {
  /** Which of `timeouts` ran out. */
  readonly phase: TimeoutPhase

  constructor(phase: TimeoutPhase, message: string) {
    super('FCGI_TIMEOUT', message)
    this.phase = phase
  }
}

/**
 * Whoever reads the response took nothing of it for `timeouts.reader`, while other requests on the same connection
 * could not go on for it. Only where requests are multiplexed.
 */
export class SlowReaderError extends FastCGIError {
  constructor(message: string) {
    super('FCGI_SLOW_READER', message)
  }
}

/** Why a request body could not be sent. */
export type RequestBodyErrorCode =
  | 'FCGI_BODY_TRUNCATED'
  | 'FCGI_BODY_CONSUMED'
  | 'FCGI_BODY_TOO_LARGE'
  | 'FCGI_BODY_TIMEOUT'
  | 'FCGI_BODY_LENGTH_REQUIRED'

/** The request body cannot be sent, or not whole. The application never gets to see it as complete. */
export class RequestBodyError extends FastCGIError {
  declare readonly code: RequestBodyErrorCode

  constructor(code: RequestBodyErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** The caller gave the request up: its AbortSignal fired, or `abort()` was called. */
export class AbortedError extends FastCGIError {
  constructor(options?: ErrorOptions) {
    super('FCGI_ABORTED', 'request was aborted by the caller', options)
  }
}

/** The dispatcher was closed or destroyed and takes no requests. */
export class ClosedError extends FastCGIError {
  constructor(message: string, options?: ErrorOptions) {
    super('FCGI_CLOSED', message, options)
  }
}

/** Code of a system error, e.g. ECONNREFUSED; also of the first one inside an AggregateError. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { code, errors } = error as { code?: unknown; errors?: unknown[] }
  if (typeof code === 'string') return code
  return Array.isArray(errors) ? systemCode(errors[0]) : undefined
}
