import type { FastCGIError } from '@fastcgi/protocol'
import type { FastCGIRequest } from './request.ts'

/** What of an exchange decides whether it may be sent again. */
export interface AttemptState {
  /** Whether it has ended. */
  readonly done: boolean
  /** Whether anything of a response came. */
  readonly arrived: boolean
  /** Whether a stream of the request has been read from: it cannot be sent again. */
  readonly bodyTouched: boolean
  /** Whether the application said that it did not begin, because it cannot multiplex. */
  readonly refused: boolean
  readonly idempotent: boolean
  /** Whether the system has taken the first write: before that, the application cannot have begun. */
  readonly sent: boolean
  /** Whether its connection had carried requests before. */
  readonly reused: boolean
}

/**
 * Whether a failed request may be sent again without anything being done twice or a part passing for the whole:
 * nothing of a response arrived, the body can be sent again, and either the application cannot have begun or the
 * request is idempotent.
 */
export function mayRetry(exchange: AttemptState, error: FastCGIError): boolean {
  if (exchange.done || exchange.arrived || exchange.bodyTouched) return false
  if (exchange.refused || NOT_BEGUN.has(error.code)) return true
  return error.code === 'FCGI_PREMATURE_CLOSE' && (exchange.idempotent || !exchange.sent)
}

/** No connection, no place, or the application's own word that it has no room. */
const NOT_BEGUN: ReadonlySet<string> = new Set([
  'FCGI_CONNECT',
  'FCGI_CONNECT_TIMEOUT',
  'FCGI_OVERLOADED',
])

/**
 * Whether another connection to the same address is worth a try: the one that failed had been kept and was closed
 * meanwhile, or the application wants a connection for this request alone.
 */
export function mayRetryHere(exchange: AttemptState, error: FastCGIError): boolean {
  const stale = exchange.reused && error.code === 'FCGI_PREMATURE_CLOSE'
  return (stale || exchange.refused) && mayRetry(exchange, error)
}

/** Methods that do the same once or twice (RFC 9110 §9.2.2, and those of WebDAV that only read). */
export const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'DELETE',
  'PROPFIND',
  'REPORT',
  'SEARCH',
  'QUERY',
])

/** What the request says of itself, else what its method says. */
export function isIdempotent({ idempotent, params }: FastCGIRequest): boolean {
  if (idempotent !== undefined) return idempotent
  const method = 'REQUEST_METHOD' in params ? params.REQUEST_METHOD : undefined
  return typeof method === 'string' && IDEMPOTENT_METHODS.has(method)
}
