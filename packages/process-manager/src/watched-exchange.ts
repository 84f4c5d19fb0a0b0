import {
  type Attempt,
  type DispatchHandler,
  type FastCGIError,
  OverloadedError,
  PrematureCloseError,
  TimeoutError,
} from '@fastcgi/client'
import type { ManagedProcess } from './process.ts'

/** Passes on what becomes of a request, and tells its process. */
export class WatchedExchange implements DispatchHandler {
  readonly inner = true
  readonly #process: ManagedProcess
  readonly #handler: DispatchHandler

  constructor(process: ManagedProcess, handler: DispatchHandler) {
    this.#process = process
    this.#handler = handler
  }

  onStart(attempt: Attempt): void {
    this.#handler.onStart?.(attempt)
  }

  onInformational(status: number, headers: string[]): void {
    this.#handler.onInformational?.(status, headers)
  }

  onHead(status: number, headers: string[], reason: string): void {
    this.#handler.onHead(status, headers, reason)
  }

  onData(chunk: Buffer): boolean {
    return this.#handler.onData(chunk)
  }

  onFlush(): void {
    this.#handler.onFlush?.()
  }

  onStderr(line: string): void {
    this.#handler.onStderr?.(line)
  }

  onEnd(appStatus: number): void {
    this.#process.onOver(true)
    this.#handler.onEnd(appStatus)
  }

  onError(error: FastCGIError, retryable: boolean): void {
    this.#process.onOver(false)
    if (error instanceof TimeoutError) this.#process.onTimeout()
    this.#handler.onError(this.#explain(error), retryable)
  }

  /** That a connection was closed says little where the process did not even start. */
  #explain(error: FastCGIError): FastCGIError {
    const { state, name, lastExit, lastWords } = this.#process
    if (!(error instanceof PrematureCloseError) || state !== 'backoff') return error
    return new OverloadedError(
      `${name} ${lastExit?.reason}${lastWords === '' ? '' : `; it said: ${lastWords}`}`,
      { cause: error },
    )
  }
}
