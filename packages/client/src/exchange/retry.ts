// Decides whether a failed request may be sent again (RFC 9110 §9.2.2).
import type { FastCGIError } from '@fastcgi/protocol'
import { methodOf } from './params.ts'
import type { FastCGIRequest } from './request.ts'

/** The state of an exchange that decides whether it may be sent again; see the properties of `Exchange`. */
export interface AttemptState {
  readonly done: boolean
  readonly responseStarted: boolean
  readonly bodyUsed: boolean
  readonly refused: boolean
  readonly idempotent: boolean
  readonly sent: boolean
  readonly stale: boolean
}

/**
 * Whether a failed request may be sent again without anything being done twice or a part passing for the whole:
 * nothing of a response responseStarted, the body can be sent again, and either the application cannot have begun or the
 * request is idempotent.
 */
export function mayRetry(exchange: AttemptState, error: FastCGIError): boolean {
  if (exchange.done || exchange.responseStarted || exchange.bodyUsed) return false
  if (exchange.refused || NOT_BEGUN.has(error.code)) return true
  if (error.code === 'FCGI_CLOSED') return !exchange.sent
  return error.code === 'FCGI_PREMATURE_CLOSE' && (exchange.idempotent || !exchange.sent)
}

/** Error codes that mean that the application has not begun to process the request. */
const NOT_BEGUN: ReadonlySet<string> = new Set([
  'FCGI_CONNECT',
  'FCGI_CONNECT_TIMEOUT',
  'FCGI_OVERLOADED',
])

/**
 * Whether the request may be sent again on another connection to the same address: the failed connection was a reused
 * one that the application closed, or the application refused to multiplex the request.
 */
export function mayRetryHere(exchange: AttemptState, error: FastCGIError): boolean {
  const stale = exchange.stale && error.code === 'FCGI_PREMATURE_CLOSE'
  return (stale || exchange.refused) && mayRetry(exchange, error)
}

/** Idempotent methods: those of RFC 9110 §9.2.2, and PROPFIND, REPORT, SEARCH and QUERY, which only read. */
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

/** Returns the option `idempotent`, or by default whether REQUEST_METHOD is an idempotent method. */
export function isIdempotent({ idempotent, params }: FastCGIRequest): boolean {
  if (idempotent !== undefined) return idempotent
  const method = methodOf(params)
  return method !== undefined && IDEMPOTENT_METHODS.has(method)
}
