import type { Readable } from 'node:stream'
import { RequestBodyError } from '@fastcgi/client'
import { Spool, type SpoolLimits } from './spool.ts'

/** A spooled body, with its length in bytes. */
export interface SpooledBody {
  body: Buffer | Readable
  length: number
}

/**
 * Reads a stream of unknown length to its end. The stream is not destroyed on failure, because the client still expects a
 * response on its socket.
 * @param idle milliseconds without a byte after which it fails with FCGI_BODY_TIMEOUT; 0 for no limit.
 * @throws RequestBodyError
 */
export function spoolStream(
  stream: Readable,
  limits: SpoolLimits,
  idle: number,
): Promise<SpooledBody> {
  return new Promise((resolve, reject) => {
    new StreamSpooler(stream, new Spool(limits), resolve, reject).start(idle)
  })
}

/**
 * Writes the chunks of a stream to a spool. While the spool waits for the disk, the stream is paused and the timeout is
 * stopped: the client can send nothing then.
 */
class StreamSpooler {
  readonly #stream: Readable
  readonly #spool: Spool
  readonly #resolve: (body: SpooledBody) => void
  readonly #reject: (error: unknown) => void
  #idle = 0
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #settled = false

  constructor(
    stream: Readable,
    spool: Spool,
    resolve: (body: SpooledBody) => void,
    reject: (error: unknown) => void,
  ) {
    this.#stream = stream
    this.#spool = spool
    this.#resolve = resolve
    this.#reject = reject
  }

  start(idle: number): void {
    this.#idle = idle
    this.#startTimer()
    this.#stream.on('data', this.#onData).on('end', this.#onEnd)
    this.#stream.on('close', this.#onClose).on('error', this.#onError)
  }

  #startTimer(): void {
    if (this.#idle !== 0) this.#timer = setTimeout(this.#onTimeout, this.#idle)
  }

  readonly #onData = (data: Buffer | string): void => {
    this.#timer?.refresh()
    try {
      this.#writing = this.#spool.write(typeof data === 'string' ? Buffer.from(data) : data)
    } catch (error) {
      this.#settle(error)
      return
    }
    if (this.#writing === undefined) return
    clearTimeout(this.#timer)
    this.#stream.pause()
    this.#writing.then(
      () => this.#onWritten(),
      (error) => this.#settle(error),
    )
  }

  #onWritten(): void {
    this.#writing = undefined
    if (this.#settled) return
    this.#startTimer()
    this.#stream.resume()
  }

  readonly #onEnd = (): void => {
    // The body is complete: a 'close' while the rest is written to the disk is not a failure.
    clearTimeout(this.#timer)
    this.#stream.off('close', this.#onClose)
    if (this.#writing === undefined) this.#settle()
    else
      this.#writing.then(
        () => this.#settle(),
        (error) => this.#settle(error),
      )
  }

  readonly #onTimeout = (): void => {
    this.#fail(
      'FCGI_BODY_TIMEOUT',
      `the client sent nothing of its request body for ${this.#idle} ms (option timeouts.body)`,
    )
  }

  readonly #onClose = (): void => {
    this.#fail('FCGI_BODY_TRUNCATED', 'the client went away in the middle of its request body')
  }

  readonly #onError = (cause: Error): void => {
    this.#fail('FCGI_BODY_TRUNCATED', 'the request body could not be read to its end', cause)
  }

  #fail(code: 'FCGI_BODY_TIMEOUT' | 'FCGI_BODY_TRUNCATED', message: string, cause?: Error): void {
    this.#settle(new RequestBodyError(code, message, { cause }))
  }

  #settle(error?: unknown): void {
    if (this.#settled) return
    this.#settled = true
    clearTimeout(this.#timer)
    const stream = this.#stream
    stream.off('data', this.#onData).off('end', this.#onEnd)
    stream.off('close', this.#onClose).off('error', this.#onError)
    // Later errors of the stream must not end the process.
    stream.on('error', ignore)
    stream.pause()
    const spool = this.#spool
    if (error === undefined) this.#resolve({ body: spool.finish(), length: spool.length })
    else void spool.discard().then(() => this.#reject(error), this.#reject)
  }
}

function ignore(): void {}
