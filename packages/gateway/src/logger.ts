/** Where the gateway reports to: pino's shape, so that Fastify's `request.log` fits as it is. */
export interface GatewayLogger {
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

/** For those who have no logger: one line to the console each. */
export const consoleLogger: GatewayLogger = {
  info: (_details, message) => console.error(`fastcgi: ${message}`),
  warn: (_details, message) => console.error(`fastcgi: ${message}`),
  error: (_details, message) => console.error(`fastcgi: ${message}`),
}
