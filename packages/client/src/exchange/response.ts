import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import type { FastCGIError } from '@fastcgi/protocol'
import type { Attempt, DispatchControl, DispatchHandler, Dispatching } from './handler.ts'
import type { FastCGIRequest } from './request.ts'

/** A response whose head is complete; the body may still be on its way. */
export class FastCGIResponse {
  readonly status: number
  /** Reason phrase as the application gave it, else ''. */
  readonly reason: string
  /** Fields as flat name, value, name, value…; order, case and duplicates as they came. */
  readonly headers: readonly string[]
  /** The body; destroying it before its end gives the request up. */
  readonly body: Readable
  /** The attempt that was answered. */
  readonly attempt: Attempt | undefined
  /** Lines of STDERR so far. */
  readonly stderr: readonly string[]
  /** The application's exit status; undefined until the body has ended. */
  appStatus: number | undefined

  constructor(
    init: Pick<FastCGIResponse, 'status' | 'reason' | 'headers' | 'body' | 'attempt' | 'stderr'>,
  ) {
    this.status = init.status
    this.reason = init.reason
    this.headers = init.headers
    this.body = init.body
    this.attempt = init.attempt
    this.stderr = init.stderr
  }

  /** The first value of a field, whatever its case. */
  header(name: string): string | undefined {
    const wanted = name.toLowerCase()
    for (let at = 0; at < this.headers.length; at += 2)
      if (this.headers[at]?.toLowerCase() === wanted) return this.headers[at + 1]
    return undefined
  }

  /** The whole body as UTF-8. @throws FastCGIError when the response breaks off. */
  text(): Promise<string> {
    return text(this.body)
  }

  /** The whole body. @throws FastCGIError when the response breaks off. */
  bytes(): Promise<Buffer> {
    return buffer(this.body)
  }
}

/** A response body as a stream: backpressure reaches the application, destroying it gives the request up. */
export class ResponseBody extends Readable {
  #control: DispatchControl | undefined
  #ended = false

  constructor() {
    super()
    // Whoever reads learns of a failure; one who never looks at the body is not to lose the process for it.
    this.on('error', () => {})
  }

  /** The control of the request, once there is one. */
  set control(control: DispatchControl) {
    this.#control = control
  }

  /** Whether pieces may be lent to it (see {@link DispatchHandler.onData}). */
  get borrows(): boolean {
    return false
  }

  /** Takes a piece, with `release` one that is lent; false asks for a pause. */
  accept(chunk: Buffer, _release?: () => void): boolean {
    return this.push(chunk)
  }

  /** There is no more for the moment; false asks for a pause. */
  flush(): boolean {
    return true
  }

  /** The body is complete. */
  finish(): void {
    this.#ended = true
    this.conclude()
  }

  override _read(): void {
    this.goOn()
  }

  /** Ends the stream, all having been taken. */
  protected conclude(): void {
    this.push(null)
  }

  /** Ends a pause. */
  protected goOn(): void {
    this.#control?.resume()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.#ended) this.#control?.abort(error ?? undefined)
    callback(error)
  }
}

/** Sends a request through any dispatcher and resolves once the response head is complete. */
export function request(dispatcher: Dispatching, init: FastCGIRequest): Promise<FastCGIResponse> {
  return new Promise((resolve, reject) => {
    const collector = new Collector(resolve, reject)
    collector.body.control = dispatcher.dispatch(init, collector)
  })
}

class Collector implements DispatchHandler {
  readonly body: ResponseBody = new ResponseBody()
  readonly #resolve: (response: FastCGIResponse) => void
  readonly #reject: (error: FastCGIError) => void
  readonly #stderr: string[] = []
  #attempt: Attempt | undefined
  #response: FastCGIResponse | undefined

  constructor(resolve: (response: FastCGIResponse) => void, reject: (e: FastCGIError) => void) {
    this.#resolve = resolve
    this.#reject = reject
  }

  onStart(attempt: Attempt): void {
    this.#attempt = attempt
  }

  onHead(status: number, headers: string[], reason: string): void {
    this.#response = new FastCGIResponse({
      status,
      reason,
      headers,
      body: this.body,
      attempt: this.#attempt,
      stderr: this.#stderr,
    })
    this.#resolve(this.#response)
  }

  onData(chunk: Buffer): boolean {
    return this.body.accept(chunk)
  }

  onStderr(line: string): void {
    this.#stderr.push(line)
  }

  onEnd(appStatus: number): void {
    if (this.#response !== undefined) this.#response.appStatus = appStatus
    this.body.finish()
  }

  onError(error: FastCGIError): void {
    if (this.#response === undefined) this.#reject(error)
    else this.body.destroy(error)
  }
}
