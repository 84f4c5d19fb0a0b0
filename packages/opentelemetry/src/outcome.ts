// What a span says of the outcome of an exchange, and of its attempts.
import type { ExchangeEvent } from '@fastcgi/client'
import { type Span, SpanStatusCode } from '@opentelemetry/api'
import { addressAttributes } from './attributes.ts'

/** Where a request was sent more than once, an event for each attempt that failed. */
export function recordAttempts(span: Span, { attempts }: ExchangeEvent): void {
  if (attempts.length < 2) return
  for (const { address, member, outcome } of attempts)
    if (outcome !== 'ok' && outcome !== undefined)
      span.addEvent('fastcgi.attempt_failed', {
        ...addressAttributes(address),
        ...(member !== undefined && { 'fastcgi.member': member }),
        'error.type': outcome,
      })
}

/**
 * Status, `error.type` and exception. Statuses of 400 and above are errors, as for all client spans; but an authorizer that denies
 * has done its work.
 */
export function setOutcome(span: Span, { error, status = 0, role }: ExchangeEvent): void {
  if (error !== undefined) {
    span.setAttribute('error.type', error.code)
    span.recordException(error)
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message })
  } else if (status >= 500 || (status >= 400 && role !== 'authorizer')) {
    span.setAttribute('error.type', String(status))
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
}
