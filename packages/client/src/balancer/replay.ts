// Buffering of short body streams, so that a request can be sent to another member.
import { Readable } from 'node:stream'
import type { FastCGIError } from '@fastcgi/protocol'
import { BodyPump, type BodySink } from '../connection/body-pump.ts'
import { RequestBodyError } from '../errors.ts'
import type { FastCGIRequest } from '../exchange/request.ts'
import { isIdempotent } from '../exchange/retry.ts'

/** Whether the body is a stream of known length up to `most` bytes, which is read into memory before it is sent. */
export function mustBufferBody(
  request: FastCGIRequest,
  most: number,
): request is FastCGIRequest & { body: Readable; bodyLength: number } {
  const { body, bodyLength } = request
  return body instanceof Readable && bodyLength !== undefined && bodyLength <= most
}

/** Adds to the message of an error that the request was not sent to another member because of its body, if that is so. */
export function explainNotReplayed(
  request: FastCGIRequest,
  error: FastCGIError,
  most: number,
): void {
  if (!(request.body instanceof Readable) || mustBufferBody(request, most)) return
  if (error.code !== 'FCGI_PREMATURE_CLOSE' || !isIdempotent(request)) return
  const size =
    request.bodyLength === undefined ? 'of unknown length' : `of ${request.bodyLength} bytes`
  error.message += `; not tried on another member: of a body ${size} nothing is kept (option replayBuffer is ${most})`
}

/** Reads a stream of known length into a Buffer. */
export class BodyCollector implements BodySink {
  /** Resolves with the complete body; rejects with a RequestBodyError. */
  readonly body: Promise<Buffer>

  readonly #length: number
  readonly #chunks: Buffer[] = []
  readonly #pump: BodyPump
  readonly #timer: NodeJS.Timeout | undefined
  #resolve!: (body: Buffer) => void
  #reject!: (error: RequestBodyError) => void

  /** Starts to read. @param timeout maximum time in milliseconds between two chunks; 0 for no limit. */
  constructor(stream: Readable, length: number, timeout: number) {
    this.#length = length
    this.#pump = new BodyPump(stream, length, this)
    this.body = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (timeout > 0) this.#timer = setTimeout(() => this.#expired(timeout), timeout)
    this.#pump.start()
  }

  /** Stops reading; `body` then stays pending. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#pump.stop()
  }

  takeBody(chunk: Buffer): boolean {
    this.#timer?.refresh()
    this.#chunks.push(chunk)
    return true
  }

  endBody(): void {
    clearTimeout(this.#timer)
    this.#resolve(Buffer.concat(this.#chunks, this.#length))
  }

  bodyFailed(error: RequestBodyError): void {
    clearTimeout(this.#timer)
    this.#reject(error)
  }

  #expired(timeout: number): void {
    this.#pump.stop()
    this.#reject(
      new RequestBodyError(
        'FCGI_BODY_TIMEOUT',
        `the stream of the request body delivered nothing for ${timeout} ms (option timeouts.body)`,
      ),
    )
  }
}
