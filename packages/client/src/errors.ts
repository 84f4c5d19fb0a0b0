// The errors of the client, which extend FastCGIError of @fastcgi/protocol.
import { FastCGIError, type FastCGIErrorOptions } from '@fastcgi/protocol'

/**
 * An option has an invalid value or an unknown name. Thrown by the function that takes the options; for options of a
 * single request (`role`, `data`) the request fails with it.
 */
export class OptionError extends FastCGIError {
  constructor(message: string) {
    super('FCGI_OPTION', message)
  }
}

/** A connection could not be opened: refused, no such socket, no permission, or unknown host. */
export class ConnectError extends FastCGIError {
  constructor(message: string, options?: FastCGIErrorOptions) {
    super('FCGI_CONNECT', message, options)
  }
}

/** A connection was not established within {@link Timeouts.connect}, or the system gave up (ETIMEDOUT). */
export class ConnectTimeoutError extends FastCGIError {
  constructor(message: string, options?: FastCGIErrorOptions) {
    super('FCGI_CONNECT_TIMEOUT', message, options)
  }
}

/**
 * There is no capacity for the request: the queue is full (`maxQueue`), the request waited longer than `queueTimeout`,
 * the listen backlog of a unix socket is full (EAGAIN), the application answered FCGI_OVERLOADED, or no member of a
 * balancer is available.
 */
export class OverloadedError extends FastCGIError {
  constructor(message: string, options?: FastCGIErrorOptions) {
    super('FCGI_OVERLOADED', message, options)
  }
}

/** The application closed the connection before END_REQUEST, so the response, if it has begun, is incomplete. */
export class PrematureCloseError extends FastCGIError {
  /** Whether the application may have begun with the request; false where the request was never written. @default true */
  readonly begun: boolean

  constructor(message: string, options?: FastCGIErrorOptions & { begun?: boolean }) {
    super('FCGI_PREMATURE_CLOSE', message, options)
    this.begun = options?.begun ?? true
  }
}

/** The property of {@link Timeouts} that a {@link TimeoutError} is about. */
export type TimeoutPhase = 'head' | 'idle' | 'write'

/** The application made no progress within {@link Timeouts.head}, {@link Timeouts.idle} or {@link Timeouts.write}. */
export class TimeoutError extends FastCGIError {
  /** Which timeout expired. */
  readonly phase: TimeoutPhase

  constructor(phase: TimeoutPhase, message: string, options?: FastCGIErrorOptions) {
    super('FCGI_TIMEOUT', message, options)
    this.phase = phase
  }
}

/**
 * The reader of a response paused for longer than {@link Timeouts.multiplexReader} and thereby blocked other requests on the
 * same connection. Only with {@link PoolOptions.multiplex}.
 */
export class SlowReaderError extends FastCGIError {
  constructor(message: string, options?: FastCGIErrorOptions) {
    super('FCGI_SLOW_READER', message, options)
  }
}

/**
 * Why a request body could not be sent. TRUNCATED: the stream failed, closed early, or has a length other than
 * announced. CONSUMED: it was read or destroyed before. TIMEOUT: it delivered nothing for {@link Timeouts.body}.
 * TOO_LARGE and LENGTH_REQUIRED: the gateway refused it.
 */
export type RequestBodyErrorCode =
  | 'FCGI_BODY_TRUNCATED'
  | 'FCGI_BODY_CONSUMED'
  | 'FCGI_BODY_TOO_LARGE'
  | 'FCGI_BODY_TIMEOUT'
  | 'FCGI_BODY_LENGTH_REQUIRED'

/** The request body cannot be sent completely. The end record of its stream is not sent either. */
export class RequestBodyError extends FastCGIError {
  declare readonly code: RequestBodyErrorCode

  constructor(code: RequestBodyErrorCode, message: string, options?: FastCGIErrorOptions) {
    super(code, message, options)
  }
}

/** The caller aborted the request by its AbortSignal or by `abort()`; `cause` is the reason that was given. */
export class AbortedError extends FastCGIError {
  constructor(options?: FastCGIErrorOptions) {
    super('FCGI_ABORTED', 'request was aborted by the caller', options)
  }
}

/** The dispatcher was closed or destroyed. */
export class ClosedError extends FastCGIError {
  constructor(message: string, options?: FastCGIErrorOptions) {
    super('FCGI_CLOSED', message, options)
  }
}

/** Returns the code of a system error, for instance ECONNREFUSED; of an AggregateError that of its first error. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { code, errors } = error as { code?: unknown; errors?: unknown[] }
  if (typeof code === 'string') return code
  return Array.isArray(errors) ? systemCode(errors[0]) : undefined
}
