// One request on its way through the cache: what the embedding code gives, and what it gets.

import type { Readable } from 'node:stream'
import type { FlatFields, RequestFields } from './fields.ts'
import type { PolicyRequest } from './policy/rules.ts'

/** A request as the cache sees it. Field names are in lower case. */
export interface CacheRequest extends PolicyRequest {
  /** Scheme and authority, such as `https://example.org`. */
  readonly origin: string
  /** Path and query. */
  readonly path: string
  readonly headers: RequestFields
  /** Whether a response must not be stored although it may be. @default none */
  readonly refuses?: ((response: ResponseHead) => boolean) | undefined
  /** Tags of a response beside those it names itself. @default none */
  readonly tags?: ((response: ResponseHead) => readonly string[]) | undefined
}

/** Status and fields of a response. */
export interface ResponseHead {
  readonly status: number
  /** name, value, name, value… */
  readonly fields: FlatFields
}

/** A response of the application. */
export interface OriginResponse {
  readonly status: number
  /** Reason phrase; '' for the standard one. */
  readonly reason: string
  /** Fields for the client. */
  readonly fields: readonly string[]
  /** Fields as the application has sent them, which may have more that say how to store the response. */
  readonly received: FlatFields
  readonly body: Buffer | Readable | null
  /** False if it was made for this client alone, such as a part of a file. @default true */
  readonly isShareable?: boolean | undefined
}

/** Called once with the response of the application, or what has gone wrong. */
export type OriginCallback = (error: unknown, response: OriginResponse | undefined) => void

/** A request that the application is working on. */
export interface Running {
  /** Nobody wants the response any more. The callback is then called with an error, or not at all. */
  abort(): void
}

/**
 * Asks the application. It is to go on even if the client that asked first disconnects.
 * @param fields the fields to send.
 */
export type Fetch = (fields: RequestFields, callback: OriginCallback) => Running

/** An answer for a client. */
export interface CacheAnswer {
  readonly status: number
  readonly reason: string
  readonly fields: readonly string[]
  readonly body: Buffer | Readable | null
  /**
   * Whether it is a whole response of which the request may want less: its conditions and its Range are still to be evaluated,
   * and a HEAD gets no body.
   */
  readonly isWhole: boolean
}

/** Called once with an answer, or with the error that the application's request has failed with. */
export type AnswerCallback = (error: unknown, answer: CacheAnswer | undefined) => void

/** A request of a client that waits for its answer. */
export interface Waiting {
  readonly request: CacheRequest
  readonly fetch: Fetch
  readonly answer: AnswerCallback
  /** How often it has waited for another client's response in vain. */
  attempt: number
  /** Whether it has been answered, or its client has gone. */
  isOver: boolean
  timer: NodeJS.Timeout | undefined
  /** What it waits for. */
  flight: { leave(waiting: Waiting): void } | undefined
}
