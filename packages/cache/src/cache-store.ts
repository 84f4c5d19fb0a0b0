// The interface of cache stores, which is undici's: its memory and SQLite stores and those of others fit.

import type { Readable, Writable } from 'node:stream'
import type { Directives } from './policy/directives.ts'

/** What a response is stored under. */
export interface CacheKey {
  /** Scheme and authority, such as `https://example.org`. */
  origin: string
  /** Always `GET`; HEAD is answered from it. */
  method: string
  /** Path and query, or what the option `key` returns. */
  path: string
  /** Fields of the request by lower-case name, which the store compares with `vary` of its entries. */
  headers?: Record<string, string | string[]>
}

/** A stored response without its body. Times are in milliseconds since 1970. */
export interface CacheValue {
  statusCode: number
  statusMessage: string
  headers: Record<string, string | string[]>
  /** Fields that a request must have to get this response, by lower-case name; null for a missing one. */
  vary?: Record<string, string | string[] | null>
  etag?: string
  cacheControlDirectives?: Directives
  /** When the response was generated: its age is counted from here. */
  cachedAt: number
  /** Until when it is fresh. */
  staleAt: number
  /** When it is of no more use. */
  deleteAt: number
}

/** A stored response with its body. */
export interface CacheResult extends CacheValue {
  body?:
    | Buffer
    | string
    | Readable
    | Iterable<Uint8Array | string>
    | AsyncIterable<Uint8Array | string>
    | undefined
}

/**
 * A store of responses. It may throw, fail or never answer: that is a miss. A write whose stream is destroyed must store
 * nothing.
 */
export interface CacheStore {
  /** The response that was stored for a request with these fields, or undefined. */
  get(key: CacheKey): CacheResult | undefined | Promise<CacheResult | undefined>
  /** A stream that takes the body and stores the response when it ends; undefined if the store wants none. */
  createWriteStream(key: CacheKey, value: CacheValue): Writable | undefined
  /** Removes all responses of a key. */
  delete(key: CacheKey): void | Promise<void>
  /** Removes all responses with one of the tags, if the store can. */
  deleteTags?(tags: string[]): void | Promise<void>
}
