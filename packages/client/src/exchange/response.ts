import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import type { FastCGIError } from '@fastcgi/protocol'
import type { Attempt, DispatchControl, DispatchHandler, Dispatching } from './handler.ts'
import type { FastCGIRequest } from './request.ts'

/** A response whose head is complete. The body may still be arriving. */
export class FastCGIResponse {
  /** Status code, 200 to 999. */
  readonly status: number
  /** Reason phrase that the application sent, else ''. */
  readonly reason: string
  /** Fields, flat: name, value, name, value. Order, case and duplicates are preserved; text is latin1. */
  readonly headers: readonly string[]
  /** The response body. Read or destroy it: it occupies a connection until then. Destroying it aborts the request. */
  readonly body: Readable
  /** The attempt that received this response. */
  readonly attempt: Attempt | undefined
  /** Lines of STDERR received so far. The array grows while the body arrives. */
  readonly stderr: readonly string[]
  /** Exit status of the application (FastCGI 1.0 §5.5); undefined until the body has ended. */
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

  /** Returns the first value of a field; the case of the name does not matter. */
  header(name: string): string | undefined {
    const wanted = name.toLowerCase()
    for (let at = 0; at < this.headers.length; at += 2)
      if (this.headers[at]?.toLowerCase() === wanted) return this.headers[at + 1]
    return undefined
  }

  /** Reads the body to its end and decodes it as UTF-8. @throws FastCGIError when the response is incomplete. */
  text(): Promise<string> {
    return text(this.body)
  }

  /** Reads the body to its end. @throws FastCGIError when the response is incomplete. */
  bytes(): Promise<Buffer> {
    return buffer(this.body)
  }
}

/**
 * A response body as a stream. A paused reader pauses the reading from the application; destroying the stream before its
 * end aborts the request. A handler fills it with `accept()`, `flush()` and `finish()`; subclasses can override these.
 */
export class ResponseBody extends Readable {
  #control: DispatchControl | undefined
  #ended = false

  constructor() {
    super()
    // A caller that never uses the body has no 'error' listener; without this one a failure would end its process.
    this.on('error', () => {})
  }

  /** Sets the control of the request, which {@link Dispatching.dispatch} has returned. */
  set control(control: DispatchControl) {
    this.#control = control
  }

  /** Whether chunks may be lent to it; see {@link DispatchHandler.borrows}. */
  get borrows(): boolean {
    return false
  }

  /** Adds a chunk of the body, as {@link DispatchHandler.onData}; returns false to ask for a pause. */
  accept(chunk: Buffer, _release?: () => void): boolean {
    return this.push(chunk)
  }

  /** All data of one read has been added, as {@link DispatchHandler.onFlush}; returns false to ask for a pause. */
  flush(): boolean {
    return true
  }

  /** Marks the body as complete. */
  finish(): void {
    this.#ended = true
    this.conclude()
  }

  override _read(): void {
    this.goOn()
  }

  /** Ends the stream after the last chunk. */
  protected conclude(): void {
    this.push(null)
  }

  /** Resumes the request after a pause. */
  protected goOn(): void {
    this.#control?.resume()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.#ended) this.#control?.abort(error ?? undefined)
    callback(error)
  }
}

/** Sends a request through a dispatcher and resolves when the response head is complete. @throws FastCGIError */
export function request(dispatcher: Dispatching, init: FastCGIRequest): Promise<FastCGIResponse> {
  return new Promise((resolve, reject) => {
    const collector = new Collector(resolve, reject)
    collector.body.control = dispatcher.dispatch(init, collector)
  })
}

/** Builds a {@link FastCGIResponse} from the callbacks of a dispatcher. */
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
