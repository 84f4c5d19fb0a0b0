// Loggers that the user provides, as the gateway and the process manager accept them.
import { callSafely } from './callbacks.ts'

/** A logger with pino's interface, so that Fastify's `request.log` can be used. */
export interface Logger {
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

const print = (_details: object, message: string): void => console.error(`fastcgi: ${message}`)

/** Writes each message as one line to stderr. */
const consoleLogger: Logger = { info: print, warn: print, error: print }

const silentLogger: Logger = { info() {}, warn() {}, error() {} }

/** Wraps a logger; what it throws is reported as a warning of the process. */
class ContainedLogger implements Logger {
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
  }

  info(details: object, message: string): void {
    callSafely('the logger', () => this.#logger.info(details, message))
  }

  warn(details: object, message: string): void {
    callSafely('the logger', () => this.#logger.warn(details, message))
  }

  error(details: object, message: string): void {
    callSafely('the logger', () => this.#logger.error(details, message))
  }
}

/**
 * Returns a logger that never throws.
 * @param logger false for none; undefined for the console.
 */
export function containedLogger(logger: Logger | false | undefined): Logger {
  return logger === false ? silentLogger : new ContainedLogger(logger ?? consoleLogger)
}
