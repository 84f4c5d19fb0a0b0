import type { IncomingMessage } from 'node:http'
import { type GatewayError, gatewayError } from './error-status.ts'

/** Where the gateway reports to: pino's shape, so that Fastify's `request.log` fits as it is. */
export interface GatewayLogger {
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** Reports a request that comes to nothing before anything of a response was there, and wraps the reason. */
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
