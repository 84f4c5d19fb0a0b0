import {
  decodeNameValues,
  encodeGetValues,
  type FastCGIError,
  ProtocolError,
  type RecordHandler,
  RecordReader,
  RecordType,
} from '@fastcgi/protocol'
import type { Address } from '../address.ts'
import { type Checks, checkOptions, listOf, milliseconds, text } from '../check-options.ts'
import { ApplicationSocket, type SocketEvents } from '../connection/application-socket.ts'
import { connectError } from '../connection/connection-errors.ts'
import { ConnectTimeoutError, PrematureCloseError, TimeoutError } from '../errors.ts'
import { asFastCGIError } from '../exchange/exchange.ts'
import type { ApplicationValues } from './multiplexing.ts'

/** What an application is asked for. */
export interface GetValuesOptions {
  /** Names of variables. @default the three of FastCGI 1.0: FCGI_MAX_CONNS, FCGI_MAX_REQS and FCGI_MPXS_CONNS */
  names?: readonly string[] | undefined
  /** Milliseconds that connecting and answering may take together; 0 for no limit. @default 3000 */
  timeout?: number | undefined
}

const CHECKS: Checks = { names: listOf(text), timeout: milliseconds }

/** Names of the variables that FastCGI 1.0 §4.1 defines. */
const NAMES: readonly string[] = ['FCGI_MAX_CONNS', 'FCGI_MAX_REQS', 'FCGI_MPXS_CONNS']

/**
 * Asks an application for variables with FCGI_GET_VALUES (FastCGI 1.0 §4.1), on a connection of its own: php-fpm
 * closes it after the answer.
 */
class ValuesQuery implements SocketEvents, RecordHandler {
  /** The answer; rejects with a FastCGIError. */
  readonly answer: Promise<ApplicationValues>

  readonly #address: Address
  readonly #socket: ApplicationSocket
  readonly #reader: RecordReader = new RecordReader(this)
  readonly #timer: NodeJS.Timeout | undefined
  #resolve!: (values: ApplicationValues) => void
  #reject!: (error: FastCGIError) => void
  #connected = false
  #socketError: Error | undefined

  /** @param timeout milliseconds for all of it; 0 for ever. */
  constructor(address: Address, names: readonly string[], timeout: number) {
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#address = address
    this.#socket = new ApplicationSocket(this)
    this.#socket.once('connect', () => {
      this.#connected = true
      // libfcgi answers once the next record begins, so there is one that asks for nothing.
      this.#socket.write(Buffer.concat([encodeGetValues(names), encodeGetValues([])]))
    })
    this.#socket.on('error', (error) => {
      this.#socketError ??= error
    })
    this.#socket.on('end', this.#lost).on('close', this.#lost)
    if (timeout > 0) this.#timer = setTimeout(() => this.#expired(timeout), timeout)
    this.#socket.open(address, false)
  }

  /** Gives up. */
  destroy(error: FastCGIError): void {
    this.#end()
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
    this.#lost()
  }

  onStream(type: RecordType): void {
    throw new ProtocolError(`${this.#address.name} answers FCGI_GET_VALUES with type ${type}`)
  }

  onStreamEnd(type: RecordType): void {
    this.onStream(type)
  }

  onMessage(type: number, requestId: number, content: Buffer): void {
    // UNKNOWN_TYPE: it knows no variables at all (FastCGI 1.0 §4.2).
    const known = type === RecordType.GET_VALUES_RESULT
    if ((!known && type !== RecordType.UNKNOWN_TYPE) || requestId !== 0)
      throw new ProtocolError(
        `${this.#address.name} answers FCGI_GET_VALUES with type ${type} for request id ${requestId}`,
      )
    const values = Object.fromEntries(known ? decodeNameValues(content) : [])
    this.#end()
    this.#resolve(values)
  }

  readonly #lost = (): void => {
    const { name } = this.#address
    const cause = this.#socketError
    this.destroy(
      this.#connected
        ? new PrematureCloseError(
            `${name} closed the connection without answering FCGI_GET_VALUES`,
            { cause },
          )
        : connectError(this.#address, cause),
    )
  }

  #expired(timeout: number): void {
    const { name } = this.#address
    this.destroy(
      this.#connected
        ? new TimeoutError(
            'head',
            `${name} did not answer FCGI_GET_VALUES within ${timeout} ms (option timeout)`,
          )
        : new ConnectTimeoutError(`no connection to ${name} within ${timeout} ms (option timeout)`),
    )
  }

  #end(): void {
    clearTimeout(this.#timer)
    this.#socket.destroy()
  }
}

/** The questions under way to one application. */
export class ValuesQueries {
  readonly #address: Address
  readonly #all = new Set<ValuesQuery>()

  constructor(address: Address) {
    this.#address = address
  }

  get size(): number {
    return this.#all.size
  }

  /** Asks and waits for the answer. @throws FastCGIError */
  async ask(options: GetValuesOptions): Promise<ApplicationValues> {
    checkOptions('getValues', options, CHECKS)
    const { names = NAMES, timeout = 3000 } = options
    const query = new ValuesQuery(this.#address, names, timeout)
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
