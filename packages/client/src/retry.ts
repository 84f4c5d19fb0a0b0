import type { FastCGIError } from '@fastcgi/protocol'
import type { Exchange } from './exchange.ts'

/**
 * Whether a failed request may be tried again without anything being done twice or a part passing for the whole:
 * nothing of a response arrived, the body can be sent again, and either the application cannot have begun (no
 * connection was made, or it said so itself) or the request is idempotent.
 */
export function mayRetry(exchange: Exchange, error: FastCGIError): boolean {
  if (exchange.done || exchange.arrived || exchange.bodyTouched) return false
  if (NOT_BEGUN.has(error.code) || exchange.refused) return true
  return exchange.idempotent && error.code === 'FCGI_PREMATURE_CLOSE'
}

const NOT_BEGUN: ReadonlySet<string> = new Set(['FCGI_CONNECT', 'FCGI_CONNECT_TIMEOUT'])
