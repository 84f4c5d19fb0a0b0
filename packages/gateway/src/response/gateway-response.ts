import type { Readable } from 'node:stream'
import type { GatewayError } from '../error-status.ts'

/** A response, for an adapter to write. */
export interface GatewayResponse {
  readonly status: number
  /** Reason phrase, '' for the usual one. */
  readonly reason: string
  /** Fields as flat name, value, name, value…, in latin1. */
  readonly headers: string[]
  /** Complete as a Buffer, else a stream, which breaks off with an error rather than to end early. */
  readonly body: Buffer | Readable | null
}

/** Takes a response or a failure, once; both undefined when the path is not the gateway's. */
export type GatewayCallback = (
  error: GatewayError | undefined,
  response: GatewayResponse | undefined,
) => void

/** What an application has said of the response that a file is the body of. */
export interface ResponseStart {
  readonly status: number
  /** '' for the usual one. */
  readonly reason: string
  /** Flat name, value, name, value…, in latin1. */
  readonly headers: readonly string[]
}
