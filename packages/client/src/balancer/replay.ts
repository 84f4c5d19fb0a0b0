import { Readable } from 'node:stream'
import type { FastCGIError } from '@fastcgi/protocol'
import { BodyPump, type BodySink } from '../connection/body-pump.ts'
import { RequestBodyError } from '../errors.ts'
import type { FastCGIRequest } from '../exchange/request.ts'
import { isIdempotent } from '../exchange/retry.ts'

/** Whether a body is to be taken in whole before it is sent, so that it can be sent again. */
export function isShortStream(
  request: FastCGIRequest,
  most: number,
): request is FastCGIRequest & { body: Readable; bodyLength: number } {
  const { body, bodyLength } = request
  return body instanceof Readable && bodyLength !== undefined && bodyLength <= most
}

/** Says in an error that it was the body that kept a request from another member, where it was. */
export function explainBody(request: FastCGIRequest, error: FastCGIError, most: number): void {
  if (!(request.body instanceof Readable) || isShortStream(request, most)) return
  if (error.code !== 'FCGI_PREMATURE_CLOSE' || !isIdempotent(request)) return
  const size =
    request.bodyLength === undefined ? 'of unknown length' : `of ${request.bodyLength} bytes`
  error.message += `; not tried on another member: of a body ${size} nothing is kept (option replayBuffer is ${most})`
}

/** Takes in a stream of known length. */
export class Intake implements BodySink {
  /** The whole of it. Rejects with a RequestBodyError. */
  readonly taken: Promise<Buffer>

  readonly #length: number
  readonly #chunks: Buffer[] = []
  readonly #pump: BodyPump
  readonly #timer: NodeJS.Timeout | undefined
  #resolve!: (body: Buffer) => void
  #reject!: (error: RequestBodyError) => void

  /** @param timeout milliseconds between two pieces; 0 for ever. */
  constructor(stream: Readable, length: number, timeout: number) {
    this.#length = length
    this.#pump = new BodyPump(stream, length, this)
    this.taken = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (timeout > 0) this.#timer = setTimeout(() => this.#expired(timeout), timeout)
    this.#pump.start()
  }

  /** Lets go of the stream. Nothing is told any more. */
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
        `the source of the request body gave nothing for ${timeout} ms (option timeouts.body)`,
      ),
    )
  }
}
