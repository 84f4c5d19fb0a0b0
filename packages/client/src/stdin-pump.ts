import type { Readable } from 'node:stream'
import { RequestBodyError } from './errors.ts'

/** Where a {@link StdinPump} puts what it reads. */
export interface StdinSink {
  /** Sends a piece of STDIN; false when the pump is to wait for {@link StdinPump.resume}. */
  sendStdin(chunk: Buffer): boolean
  /** The body is complete. */
  endStdin(): void
  /** The body is not complete and never will be. */
  stdinFailed(error: RequestBodyError): void
}

/** Sends a stream as STDIN, with backpressure, and makes sure that a part is never sent as the whole. */
export class StdinPump {
  readonly #stream: Readable
  readonly #expected: number | undefined
  readonly #sink: StdinSink
  #sent = 0
  #done = false
  #waiting = false

  constructor(stream: Readable, expected: number | undefined, sink: StdinSink) {
    this.#stream = stream
    this.#expected = expected
    this.#sink = sink
  }

  /** Whether it is the application that keeps the body from flowing, not its source. */
  get waiting(): boolean {
    return this.#waiting
  }

  start(): void {
    const stream = this.#stream
    if (stream.readableEnded || stream.destroyed) {
      this.#fail('FCGI_BODY_CONSUMED', 'the body stream has been read or destroyed before')
      return
    }
    stream.on('data', this.#onData)
    stream.on('end', this.#onEnd)
    stream.on('close', this.#onClose)
    stream.on('error', this.#onError)
    // A pump that was stopped before the first byte has left it paused.
    stream.resume()
  }

  /** Goes on after {@link StdinSink.sendStdin} returned false. */
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
        `the body has over the ${this.#expected} bytes it was announced with`,
      )
      return
    }
    if (chunk.length === 0 || this.#sink.sendStdin(chunk) || this.#done) return
    this.#waiting = true
    this.#stream.pause()
  }

  readonly #onEnd = (): void => {
    if (this.#expected !== undefined && this.#sent !== this.#expected) {
      this.#fail('FCGI_BODY_TRUNCATED', this.#short())
      return
    }
    this.stop()
    this.#sink.endStdin()
  }

  readonly #onClose = (): void => {
    this.#fail('FCGI_BODY_TRUNCATED', this.#short())
  }

  readonly #onError = (cause: Error): void => {
    this.#fail('FCGI_BODY_TRUNCATED', this.#short(), cause)
  }

  #short(): string {
    const whole = this.#expected === undefined ? '' : ` of ${this.#expected}`
    return `the body ended after ${this.#sent}${whole} bytes`
  }

  #fail(
    code: 'FCGI_BODY_TRUNCATED' | 'FCGI_BODY_CONSUMED',
    message: string,
    cause?: unknown,
  ): void {
    if (this.#done) return
    this.stop()
    this.#sink.stdinFailed(
      new RequestBodyError(code, message, cause === undefined ? undefined : { cause }),
    )
  }
}

function ignore(): void {}
