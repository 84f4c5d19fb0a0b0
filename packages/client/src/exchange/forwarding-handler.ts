import type { FastCGIError } from '@fastcgi/protocol'
import type { Attempt, DispatchHandler } from './handler.ts'

/** Passes everything on to another handler: a base for those that only look at a part of it. */
export class ForwardingHandler implements DispatchHandler {
  /** Events of the exchange are published by the one it is for. */
  readonly inner: boolean = true
  protected readonly handler: DispatchHandler

  constructor(handler: DispatchHandler) {
    this.handler = handler
  }

  onStart(attempt: Attempt): void {
    this.handler.onStart?.(attempt)
  }

  onInformational(status: number, headers: string[]): void {
    this.handler.onInformational?.(status, headers)
  }

  onHead(status: number, headers: string[], reason: string, statusGiven: boolean): void {
    this.handler.onHead(status, headers, reason, statusGiven)
  }

  get borrows(): boolean {
    return this.handler.borrows === true
  }

  onData(chunk: Buffer, release?: () => void): boolean {
    return this.handler.onData(chunk, release)
  }

  onFlush(): unknown {
    return this.handler.onFlush?.()
  }

  onStderr(line: string): void {
    this.handler.onStderr?.(line)
  }

  onEnd(appStatus: number): void {
    this.handler.onEnd(appStatus)
  }

  onError(error: FastCGIError, retryable: boolean): void {
    this.handler.onError(error, retryable)
  }
}
