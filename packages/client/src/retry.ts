import type { FastCGIError } from '@fastcgi/protocol'
import type { Exchange } from './exchange.ts'

/**
 * Whether a failed request may be sent again without anything being done twice or a part passing for the whole:
 * nothing of a response arrived, the body can be sent again, and either the application cannot have begun or the
 * request is idempotent.
 */
export function mayRetry(exchange: Exchange, error: FastCGIError): boolean {
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
export function mayRetryHere(exchange: Exchange, error: FastCGIError, wasKept: boolean): boolean {
  const stale = wasKept && error.code === 'FCGI_PREMATURE_CLOSE'
  return (stale || exchange.refused) && mayRetry(exchange, error)
}
