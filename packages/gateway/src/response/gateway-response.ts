// The response that a gateway passes to an adapter.

import type { Readable } from 'node:stream'
import type { GatewayError } from '../error-status.ts'

/** A response for an adapter to write. */
export interface GatewayResponse {
  /** HTTP status, 200 to 599. */
  readonly status: number
  /** Reason phrase; '' for the standard one. */
  readonly reason: string
  /** Fields as a flat array: name, value, name, value…; values in latin1. */
  readonly headers: readonly string[]
  /**
   * A Buffer if the body is complete, else a stream. A stream that breaks off is destroyed with an error; it never ends
   * early.
   */
  readonly body: Buffer | Readable | null
}

/** Called once per request, with a response or an error; both are undefined if the path is not the gateway's. */
export type GatewayCallback = (
  error: GatewayError | undefined,
  response: GatewayResponse | undefined,
) => void

/** The head of an application's response, for a response whose body is sent from a file. */
export interface ResponseStart {
  readonly status: number
  /** Reason phrase; '' for the standard one. */
  readonly reason: string
  /** Fields as a flat array: name, value, name, value…; values in latin1. */
  readonly headers: readonly string[]
}
