// Reads the stream of a request body (STDIN) or of a filter's data (DATA).
import type { Readable } from 'node:stream'
import { RequestBodyError } from '../errors.ts'

/** Receives what a {@link BodyPump} reads. */
export interface BodySink {
  /** Processes a chunk; returns false to pause the pump until {@link BodyPump.resume}. */
  takeBody(chunk: Buffer): boolean
  /** The body is complete. */
  endBody(): void
  /** The body cannot be read completely. */
  bodyFailed(error: RequestBodyError): void
}

/**
 * Reads a stream with backpressure. It reports `endBody` only when the stream has ended properly and has the expected
 * length, so that an incomplete body is never sent as a complete one.
 */
export class BodyPump {
  readonly #stream: Readable
  readonly #expected: number | undefined
  readonly #sink: BodySink
  readonly #what: string
  #sent = 0
  #done = false
  #waiting = false

  /**
   * @param expected length of the stream in bytes; undefined if unknown.
   * @param what name of the stream in messages.
   */
  constructor(stream: Readable, expected: number | undefined, sink: BodySink, what = 'body') {
    this.#stream = stream
    this.#expected = expected
    this.#sink = sink
    this.#what = what
  }

  /** Whether the stream has no other `data` listener. */
  get isOnlyReader(): boolean {
    return this.#stream.listenerCount('data') === 1
  }

  /** Starts to read. */
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
    // An earlier attempt, stopped before the first byte, has left the stream paused.
    stream.resume()
  }

  /** Continues after {@link BodySink.takeBody} has returned false. */
  resume(): void {
    if (!this.#waiting || this.#done) return
    this.#waiting = false
    this.#stream.resume()
  }

  /** Stops reading and pauses the stream. */
  stop(): void {
    if (this.#done) return
    this.#done = true
    const stream = this.#stream
    stream.off('data', this.#onData)
    stream.off('end', this.#onEnd)
    stream.off('close', this.#onClose)
    stream.off('error', this.#onError)
    // Without a listener, a later 'error' of the stream would end the process.
    stream.on('error', ignore)
    stream.pause()
  }

  readonly #onData = (data: Buffer | string): void => {
    const chunk = typeof data === 'string' ? Buffer.from(data) : data
    this.#sent += chunk.length
    if (this.#expected !== undefined && this.#sent > this.#expected) {
      this.#fail(
        'FCGI_BODY_TRUNCATED',
        `the ${this.#what} has over the ${this.#expected} bytes that were announced`,
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
