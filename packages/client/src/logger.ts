/** Loggers that the user gives, as the gateway and the process manager take them. */
import { callSafely } from './callbacks.ts'

/** Where failures are reported: pino's shape, so that Fastify's `request.log` fits as it is. */
export interface Logger {
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

const print = (_details: object, message: string): void => console.error(`fastcgi: ${message}`)

/** One line to stderr each. */
const consoleLogger: Logger = { info: print, warn: print, error: print }

const silentLogger: Logger = { info() {}, warn() {}, error() {} }

/** A logger whose own failures go no further: they are reported as warnings of the process. */
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
 * A logger that never throws: what the given one throws is reported as a warning of the process.
 * @param logger false for none; undefined for the console.
 */
export function containedLogger(logger: Logger | false | undefined): Logger {
  return logger === false ? silentLogger : new ContainedLogger(logger ?? consoleLogger)
}
