import type { Readable } from 'node:stream'
import { RequestBodyError } from '../errors.ts'

/** Where a {@link BodyPump} puts what it reads. */
export interface BodySink {
  /** Takes a piece; false when the pump is to wait for {@link BodyPump.resume}. */
  takeBody(chunk: Buffer): boolean
  /** The body is complete. */
  endBody(): void
  /** The body is not complete and never will be. */
  bodyFailed(error: RequestBodyError): void
}

/** Reads a body from a stream, with backpressure, and makes sure that a part never passes for the whole. */
export class BodyPump {
  readonly #stream: Readable
  readonly #expected: number | undefined
  readonly #sink: BodySink
  readonly #what: string
  #sent = 0
  #done = false
  #waiting = false

  /**
   * @param expected bytes that the stream must have.
   * @param what what it is called in messages.
   */
  constructor(stream: Readable, expected: number | undefined, sink: BodySink, what = 'body') {
    this.#stream = stream
    this.#expected = expected
    this.#sink = sink
    this.#what = what
  }

  /** Whether nobody else sees what it reads. */
  get isOnlyReader(): boolean {
    return this.#stream.listenerCount('data') === 1
  }

  start(): void {
    const stream = this.#stream
    if (stream.readableEnded || stream.destroyed) {
      const before = `the ${this.#what} stream has been read or destroyed before`
      this.#fail('FCGI_BODY_CONSUMED', before, stream.errored ?? undefined)
      return
    }
    stream.on('data', this.#onData)
    stream.on('end', this.#onEnd)
    stream.on('close', this.#onClose)
    stream.on('error', this.#onError)
    // A pump that was stopped before the first byte has left it paused.
    stream.resume()
  }

  /** Goes on after {@link BodySink.takeBody} returned false. */
  resume(): void {
    if (!this.#waiting || this.#done) return
    this.#waiting = false
    this.#stream.resume()
  }

  /** Lets go of the stream; it is left paused where it is. */
  stop(): void {
    if (this.#done) return
    this.#done = true
    const stream = this.#stream
    stream.off('data', this.#onData)
    stream.off('end', this.#onEnd)
    stream.off('close', this.#onClose)
    stream.off('error', this.#onError)
    // A late error of a stream nobody listens to would end the process.
    stream.on('error', ignore)
    stream.pause()
  }

  readonly #onData = (data: Buffer | string): void => {
    const chunk = typeof data === 'string' ? Buffer.from(data) : data
    this.#sent += chunk.length
    if (this.#expected !== undefined && this.#sent > this.#expected) {
      this.#fail(
        'FCGI_BODY_TRUNCATED',
        `the ${this.#what} has over the ${this.#expected} bytes it was announced with`,
      )
      return
    }
    if (chunk.length === 0 || this.#sink.takeBody(chunk) || this.#done) return
    this.#waiting = true
    this.#stream.pause()
  }

  readonly #onEnd = (): void => {
    if (this.#expected !== undefined && this.#sent !== this.#expected) {
      this.#fail('FCGI_BODY_TRUNCATED', this.#short())
      return
    }
    this.stop()
    this.#sink.endBody()
  }

  readonly #onClose = (): void => {
    this.#fail('FCGI_BODY_TRUNCATED', this.#short())
  }

  readonly #onError = (cause: Error): void => {
    this.#fail('FCGI_BODY_TRUNCATED', this.#short(), cause)
  }

  #short(): string {
    const whole = this.#expected === undefined ? '' : ` of ${this.#expected}`
    return `the ${this.#what} ended after ${this.#sent}${whole} bytes`
  }

  #fail(
    code: 'FCGI_BODY_TRUNCATED' | 'FCGI_BODY_CONSUMED',
    message: string,
    cause?: unknown,
  ): void {
    if (this.#done) return
    this.stop()
    this.#sink.bodyFailed(
      new RequestBodyError(code, message, cause === undefined ? undefined : { cause }),
    )
  }
}

function ignore(): void {}
