// Contains what a store does wrong: it is a miss, is logged once a minute, and never fails a request.

import type { CacheKey, CacheResult, CacheStore, CacheValue } from '../cache-store.ts'
import { selectingFields } from '../policy/vary.ts'
import { MemoryCacheStore } from './memory-store.ts'
import { readBody, type StoredResponse, storedResponse } from './stored-response.ts'

/** Milliseconds between two reports of failures. */
const REPORT_INTERVAL = 60_000
/** Milliseconds for which a store that did not answer is not asked again. */
const REST = 1000

export interface ContainedStoreOptions {
  /** Milliseconds that the store may take for an answer. */
  readonly timeout: number
  /** Bytes of the longest body that is taken from the store. */
  readonly maxBodySize: number
  /** Told of failures, at most once a minute. */
  readonly report: (message: string, error: unknown) => void
}

/** Asks a store for responses, and gives it responses. */
export class ContainedStore {
  readonly store: CacheStore
  readonly #options: ContainedStoreOptions
  readonly #isOurs: boolean
  #reportedAt = Number.NEGATIVE_INFINITY
  #failures = 0
  #restsUntil = 0

  constructor(store: CacheStore, options: ContainedStoreOptions) {
    this.store = store
    this.#isOurs = store instanceof MemoryCacheStore
    this.#options = options
  }

  /** Calls back once, at once if the store answers at once. */
  get(key: CacheKey, callback: (stored: StoredResponse | undefined) => void): void {
    if (this.#rests()) {
      callback(undefined)
      return
    }
    let result: ReturnType<CacheStore['get']>
    try {
      result = this.store.get(this.#keyFor(key))
    } catch (error) {
      this.#failed('get', error)
      callback(undefined)
      return
    }
    if (result === undefined) callback(undefined)
    else if (!isPromise(result) && Buffer.isBuffer(result.body))
      callback(storedResponse(result, result.body))
    else this.#wait(result, callback)
  }

  /**
   * Stores a response. Calls back when it is stored, or will not be.
   * @param callback whether it has been stored.
   */
  put(key: CacheKey, value: CacheValue, body: Buffer, callback: (stored: boolean) => void): void {
    if (this.#rests()) {
      callback(false)
      return
    }
    let settled = false
    const settle = (stored: boolean): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      callback(stored)
    }
    const timer = setTimeout(() => {
      this.#timedOut('write')
      settle(false)
    }, this.#options.timeout)
    try {
      const stream = this.store.createWriteStream(this.#keyFor(key), value)
      if (stream === undefined) {
        settle(false)
        return
      }
      stream.on('error', (error) => {
        this.#failed('write', error)
        settle(false)
      })
      stream.once('finish', () => settle(true))
      stream.once('close', () => settle(false))
      stream.end(body)
    } catch (error) {
      this.#failed('write', error)
      settle(false)
    }
  }

  /** Rejects with what the store throws, which is reported as well. */
  delete(key: CacheKey): Promise<void> {
    return this.attempt('delete', () => this.store.delete(this.#keyFor(key)))
  }

  /**
   * The key for a store of others. It compares fields as they are, so they are normalized. And it may look keys up by a
   * pattern, as undici-cache-redis does, in which a client's `*` would match the responses to other URLs.
   */
  #keyFor(key: CacheKey): CacheKey {
    if (this.#isOurs) return key
    const { origin, path, method, headers = {} } = key
    const literal = { origin: withoutWildcards(origin), path: withoutWildcards(path), method }
    return { ...literal, headers: selectingFields(headers) }
  }

  /** Runs an operation of the store. @throws what the store throws; it is reported as well. */
  async attempt(what: string, run: () => unknown): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.#failed(what, error)
      throw error
    }
  }

  #wait(
    result: CacheResult | Promise<CacheResult | undefined>,
    callback: (stored: StoredResponse | undefined) => void,
  ): void {
    let settled = false
    const settle = (stored: StoredResponse | undefined): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      callback(stored)
    }
    const timer = setTimeout(() => {
      if (settled) return
      this.#timedOut('get')
      settle(undefined)
    }, this.#options.timeout)
    this.#read(result).then(settle, (error) => {
      this.#failed('get', error)
      settle(undefined)
    })
  }

  async #read(
    pending: CacheResult | Promise<CacheResult | undefined>,
  ): Promise<StoredResponse | undefined> {
    const result = await pending
    if (result === undefined || result.deleteAt <= Date.now()) return undefined
    return storedResponse(result, await readBody(result, this.#options.maxBodySize))
  }

  #rests(): boolean {
    return this.#restsUntil !== 0 && performance.now() < this.#restsUntil
  }

  #timedOut(what: string): void {
    this.#restsUntil = performance.now() + REST
    this.#failed(what, new Error(`no answer in ${this.#options.timeout} ms (option storeTimeout)`))
  }

  #failed(what: string, error: unknown): void {
    this.#failures++
    const now = performance.now()
    if (now - this.#reportedAt < REPORT_INTERVAL) return
    this.#reportedAt = now
    const before = this.#failures > 1 ? `, ${this.#failures} failures since the last report` : ''
    this.#failures = 0
    const text = error instanceof Error ? error.message : String(error)
    this.#options.report(`the cache store failed (${what}): ${text}${before}`, error)
  }
}

/** A `#` is no part of a URL here, so no other one becomes the same. */
function withoutWildcards(text: string): string {
  return text.replaceAll('*', '#2A')
}

function isPromise(value: object): value is Promise<CacheResult | undefined> {
  return typeof (value as Partial<Promise<unknown>>).then === 'function'
}
