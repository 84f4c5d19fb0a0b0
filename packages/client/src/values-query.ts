import {
  decodeNameValues,
  encodeGetValues,
  type FastCGIError,
  ProtocolError,
  type RecordHandler,
  RecordReader,
  RecordType,
} from '@fastcgi/protocol'
import type { Address } from './address.ts'
import { ApplicationSocket, type SocketEvents } from './application-socket.ts'
import { connectError } from './connection-errors.ts'
import { ConnectTimeoutError, PrematureCloseError, TimeoutError } from './errors.ts'
import { asFastCGIError } from './exchange.ts'
import type { ApplicationValues } from './multiplexing.ts'

/**
 * Asks an application for variables with FCGI_GET_VALUES (FastCGI 1.0 §4.1), on a connection of its own: php-fpm
 * closes it after the answer.
 */
export class ValuesQuery implements SocketEvents, RecordHandler {
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
      this.#socket.write(encodeGetValues(names))
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
