// The interface of the logger, the default logger, and the log message of a request that failed without a response.

import type { IncomingMessage } from 'node:http'
import { type GatewayError, gatewayError } from './error-status.ts'

/** The logger of a gateway. Its methods have pino's signature, so that Fastify's `request.log` can be passed as it is. */
export interface GatewayLogger {
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/**
 * Logs a request that failed before there was a response, and wraps the cause. Status 500 and above is an error, below that
 * information; a disconnected client is not logged.
 */
export function reportFailure(
  logger: GatewayLogger,
  req: IncomingMessage,
  cause: unknown,
): GatewayError {
  const error = gatewayError(cause)
  const message = (error.cause as Error | undefined)?.message ?? error.message
  if (error.code === 'FCGI_ABORTED') return error
  if (error.status >= 500) logger.error({ err: error }, `${req.method} ${message}`)
  else logger.info({ err: error }, `${req.method} refused: ${message}`)
  return error
}
