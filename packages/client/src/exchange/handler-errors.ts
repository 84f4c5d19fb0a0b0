// Errors on their way to a dispatch handler, and those that it throws.
import { FastCGIError } from '@fastcgi/protocol'
import { reportThrown } from '../callbacks.ts'
import type { DispatchHandler } from './handler.ts'

/** Calls `onError`; what the handler throws is reported as a warning. */
export function tellError(handler: DispatchHandler, error: FastCGIError, retryable: boolean): void {
  try {
    handler.onError(error, retryable)
  } catch (thrown) {
    reportThrown('onError of a dispatch handler', thrown)
  }
}

/** Wraps what a handler, or an option that is a function, has thrown; a FastCGIError is returned as it is. */
export function asFastCGIError(error: unknown): FastCGIError {
  return error instanceof FastCGIError
    ? error
    : new FastCGIError(
        'FCGI_HANDLER',
        `a handler or an option that is a function threw: ${error}`,
        { cause: error },
      )
}
