// Queries variables of an application with FCGI_GET_VALUES (FastCGI 1.0 §4.1).
import {
  decodeNameValues,
  encodeGetValues,
  type FastCGIError,
  ProtocolError,
  type RecordHandler,
  RecordReader,
  RecordType,
} from '@fastcgi/protocol'
import { type Checks, checkOptions, listOf, milliseconds, text } from '../check-options.ts'
import { connectError } from '../connection/connection-errors.ts'
import { ConnectTimeoutError, PrematureCloseError, TimeoutError } from '../errors.ts'
import { asFastCGIError } from '../exchange/handler-errors.ts'
import type { ApplicationSocket, SocketEvents } from '../socket/application-socket.ts'
import type { Endpoint } from '../socket/endpoint.ts'
import { isRefusedClient } from '../socket/tls-errors.ts'
import type { ApplicationValues } from './multiplexing.ts'

/** Options of `Pool.getValues()`. */
export interface GetValuesOptions {
  /** Names of variables. @default the three of FastCGI 1.0: FCGI_MAX_CONNS, FCGI_MAX_REQS and FCGI_MPXS_CONNS */
  names?: readonly string[] | undefined
  /** Maximum time in milliseconds for connecting and the answer together; 0 for no limit. @default 3000 */
  timeout?: number | undefined
}

const CHECKS: Checks = { names: listOf(text), timeout: milliseconds }

/** Names of the variables that FastCGI 1.0 §4.1 defines. */
const STANDARD_NAMES: readonly string[] = ['FCGI_MAX_CONNS', 'FCGI_MAX_REQS', 'FCGI_MPXS_CONNS']

/** One query. It has a connection of its own, because php-fpm closes the connection after the answer. */
class ValuesQuery implements SocketEvents, RecordHandler {
  /** Resolves with the answer; rejects with a FastCGIError. */
  readonly answer: Promise<ApplicationValues>

  readonly #endpoint: Endpoint
  readonly #names: readonly string[]
  readonly #socket: ApplicationSocket
  readonly #reader: RecordReader = new RecordReader(this)
  readonly #timer: NodeJS.Timeout | undefined
  #resolve!: (values: ApplicationValues) => void
  #reject!: (error: FastCGIError) => void
  #connected = false
  #socketError: Error | undefined

  /** @param timeout maximum time in milliseconds for the whole query; 0 for no limit. */
  constructor(endpoint: Endpoint, names: readonly string[], timeout: number) {
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#endpoint = endpoint
    this.#names = names
    this.#socket = endpoint.open(this)
    this.#socket.on('error', (error) => {
      this.#socketError ??= error
    })
    this.#socket.on('end', this.#onLost).on('close', this.#onLost)
    if (timeout > 0) this.#timer = setTimeout(() => this.#onTimeout(timeout), timeout)
  }

  onOpen(): void {
    this.#connected = true
    // libfcgi answers only when the next record arrives, so a second query without names follows.
    this.#socket.write(Buffer.concat([encodeGetValues(this.#names), encodeGetValues([])]))
  }

  /** Closes the connection; `answer` rejects with `error`. */
  destroy(error: FastCGIError): void {
    this.#close()
    this.#reject(error)
  }

  onBytes(chunk: Buffer): void {
    try {
      this.#reader.push(chunk)
    } catch (error) {
      this.destroy(asFastCGIError(error))
    }
  }

  onWriteFailed(error: Error): void {
    this.#socketError = error
    this.#onLost()
  }

  onStream(type: RecordType): void {
    throw new ProtocolError(
      `${this.#endpoint.address.name} answers FCGI_GET_VALUES with type ${type}`,
    )
  }

  onStreamEnd(type: RecordType): void {
    this.onStream(type)
  }

  onMessage(type: number, requestId: number, content: Buffer): void {
    // UNKNOWN_TYPE means that the application does not support FCGI_GET_VALUES (FastCGI 1.0 §4.2).
    const known = type === RecordType.GET_VALUES_RESULT
    if ((!known && type !== RecordType.UNKNOWN_TYPE) || requestId !== 0)
      throw new ProtocolError(
        `${this.#endpoint.address.name} answers FCGI_GET_VALUES with type ${type} for request id ${requestId}`,
      )
    const values = Object.fromEntries(known ? decodeNameValues(content) : [])
    this.#close()
    this.#resolve(values)
  }

  readonly #onLost = (): void => {
    const { name } = this.#endpoint.address
    const cause = this.#socketError
    this.destroy(
      this.#connected && !isRefusedClient(cause)
        ? new PrematureCloseError(
            `${name} closed the connection without answering FCGI_GET_VALUES`,
            { cause },
          )
        : connectError(this.#endpoint.address, cause),
    )
  }

  #onTimeout(timeout: number): void {
    const { name } = this.#endpoint.address
    this.destroy(
      this.#connected
        ? new TimeoutError(
            'head',
            `${name} did not answer FCGI_GET_VALUES within ${timeout} ms (option timeout)`,
          )
        : new ConnectTimeoutError(`no connection to ${name} within ${timeout} ms (option timeout)`),
    )
  }

  #close(): void {
    clearTimeout(this.#timer)
    this.#socket.destroy()
  }
}

/** The queries that are in progress to one application. */
export class ValuesQueries {
  readonly #endpoint: Endpoint
  readonly #all = new Set<ValuesQuery>()

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint
  }

  get size(): number {
    return this.#all.size
  }

  /** Sends a query and resolves with the answer. @throws FastCGIError */
  async ask(options: GetValuesOptions): Promise<ApplicationValues> {
    checkOptions('getValues', options, CHECKS)
    const { names = STANDARD_NAMES, timeout = 3000 } = options
    const query = new ValuesQuery(this.#endpoint, names, timeout)
    this.#all.add(query)
    try {
      return await query.answer
    } finally {
      this.#all.delete(query)
    }
  }

  destroy(error: FastCGIError): void {
    for (const query of [...this.#all]) query.destroy(error)
  }
}
