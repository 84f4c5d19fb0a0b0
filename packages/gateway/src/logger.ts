// The interface of the logger, and the records of one request.

import type { IncomingMessage } from 'node:http'
import type { Attempt } from '@fastcgi/client'
import { callSafely } from '@fastcgi/client/internal'
import { consoleLogger } from './console-logger.ts'
import { type GatewayError, gatewayError } from './error-status.ts'
import { type FailureFacts, failureFacts } from './failure-facts.ts'

/** The logger of a gateway. Its methods have pino's signature, so that Fastify's `request.log` can be passed as it is. */
export interface GatewayLogger {
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

type Level = keyof GatewayLogger

/** The request that records are about. */
export interface LoggedRequest {
  readonly req: IncomingMessage
  /** Request target as the client sent it. */
  readonly url: string
  /** Name of the request in other logs. */
  readonly id?: string | undefined
}

/** What a call adds to a record. */
interface RecordDetails extends Partial<FailureFacts> {
  readonly err?: unknown
  readonly attempts?: readonly Attempt[]
  readonly [other: string]: unknown
}

/**
 * Logs what happens to one request. Each record has the request's id, method, path (without query), route, script and member,
 * and of a failure its phase, option and remedy; see {@link failureFacts}. What the logger throws is reported as a warning of the
 * process.
 */
export class RequestLogger implements GatewayLogger {
  /** Name of the route that the request has taken. */
  route: string | undefined
  /** SCRIPT_FILENAME, once it is known. */
  script: string | undefined
  readonly #request: LoggedRequest
  readonly #logger: GatewayLogger | false
  /** The errors that there are records of, with their causes. */
  #reported: Set<object> | undefined

  /** @param logger false for none; undefined for lines on stderr. */
  constructor(logger: GatewayLogger | false | undefined, request: LoggedRequest) {
    this.#logger = logger ?? consoleLogger
    this.#request = request
  }

  info(details: RecordDetails, message: string): void {
    this.#log('info', details, message)
  }

  warn(details: RecordDetails, message: string): void {
    this.#log('warn', details, message)
  }

  error(details: RecordDetails, message: string): void {
    this.#log('error', details, message)
  }

  /**
   * Logs a failure that is answered with a status, and wraps its cause: status 500 and above is an error, below that information.
   * A disconnected client is not logged, nor is a failure for the second time.
   */
  failure(cause: unknown, details: RecordDetails = {}): GatewayError {
    const error = gatewayError(cause)
    if (error.code === 'FCGI_ABORTED') return error
    if (this.#hasReported(error)) {
      this.#markReported(error)
      return error
    }
    const message = (error.cause as Error | undefined)?.message ?? error.message
    if (error.status >= 500) this.error({ ...details, err: error }, message)
    else this.info({ ...details, err: error }, `refused: ${message}`)
    return error
  }

  #log(level: Level, details: RecordDetails, message: string): void {
    const logger = this.#logger
    if (logger === false) return
    if (details.err !== undefined) this.#markReported(details.err)
    callSafely('the logger', () => logger[level](this.#record(details), message))
  }

  /** An error may be that of several requests on one connection, so what counts is whether this request has reported it. */
  #hasReported(error: unknown): boolean {
    return chainOf(error).some((each) => this.#reported?.has(each))
  }

  #markReported(error: unknown): void {
    this.#reported ??= new Set()
    for (const each of chainOf(error)) {
      this.#reported.add(each)
      REPORTED.add(each)
    }
  }

  #record(details: RecordDetails): object {
    const { req, url, id } = this.#request
    const last = details.attempts?.at(-1)
    const facts = failureFacts(details.err)
    const query = url.indexOf('?')
    return {
      ...(id !== undefined && { requestId: id }),
      method: req.method,
      path: query === -1 ? url : url.slice(0, query),
      ...(this.route !== undefined && { route: this.route }),
      ...(this.script !== undefined && { script: this.script }),
      ...facts,
      ...(facts.member === undefined &&
        last !== undefined && { member: last.member ?? last.address }),
      ...details,
    }
  }
}

const REPORTED = new WeakSet<object>()

/** Whether there is a log record of an error. */
export function wasReported(error: unknown): boolean {
  return typeof error === 'object' && error !== null && REPORTED.has(error)
}

/** An error and its causes; causes of foreign errors may be anything, even a circle. */
function chainOf(error: unknown): object[] {
  const chain: object[] = []
  for (let at = error; chain.length < MAX_CAUSES; at = (at as Error).cause) {
    if (typeof at !== 'object' || at === null) break
    chain.push(at)
  }
  return chain
}

const MAX_CAUSES = 5
