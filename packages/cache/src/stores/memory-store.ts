// The default store: memory of this process, bounded in bytes, least recently used out.

import { Writable } from 'node:stream'
import { LRUCache } from 'lru-cache'
import type { CacheKey, CacheResult, CacheStore, CacheValue } from '../cache-store.ts'
import { selects } from '../policy/vary.ts'
import { tagsOf } from '../tags.ts'

export interface MemoryCacheStoreOptions {
  /** Maximum bytes of all responses together, fields and bookkeeping included. @default 128 MiB */
  maxSize?: number | undefined
}

const MAX_SIZE = 134_217_728
/** Estimated bytes that an entry takes beside its text and its body. */
const OVERHEAD = 1024
/** Maximum number of responses to one URL that differ by Vary; the oldest is dropped. */
const MAX_VARIANTS = 100

/** All responses to one URL. */
interface Variants {
  readonly origin: string
  readonly path: string
  readonly entries: readonly Entry[]
  readonly size: number
}

interface Entry {
  readonly result: CacheResult
  readonly size: number
}

/** Which stored responses {@link MemoryCacheStore.deleteWhere} removes. */
export type StoredTest = (stored: {
  origin: string
  path: string
  tags: readonly string[]
}) => boolean

/** A cache store in memory. It can be shared by several caches. */
export class MemoryCacheStore implements CacheStore {
  readonly #byUrl: LRUCache<string, Variants>
  #caches = 0

  constructor({ maxSize = MAX_SIZE }: MemoryCacheStoreOptions = {}) {
    this.#byUrl = new LRUCache({ maxSize, sizeCalculation: ({ size }) => size })
  }

  /** A cache begins to use the store. */
  join(): void {
    this.#caches++
  }

  /** Whether more than one cache uses the store. */
  get isShared(): boolean {
    return this.#caches > 1
  }

  /** Number of URLs with a stored response. */
  get count(): number {
    return this.#byUrl.size
  }

  /** Bytes in use. */
  get size(): number {
    return this.#byUrl.calculatedSize
  }

  get(key: CacheKey): CacheResult | undefined {
    const variants = this.#byUrl.get(urlOf(key))
    if (variants === undefined) return undefined
    for (const { result } of variants.entries)
      if (selects(result.vary, key.headers ?? {}))
        return result.deleteAt > Date.now() ? result : undefined
    return undefined
  }

  createWriteStream(key: CacheKey, value: CacheValue): Writable {
    const chunks: Buffer[] = []
    return new Writable({
      write(chunk: Buffer, _encoding, callback) {
        chunks.push(chunk)
        callback()
      },
      final: (callback) => {
        const [only, second] = chunks
        const body = only !== undefined && second === undefined ? only : Buffer.concat(chunks)
        this.#add(key, { ...value, body })
        callback()
      },
    })
  }

  delete(key: CacheKey): void {
    this.#byUrl.delete(urlOf(key))
  }

  deleteTags(tags: readonly string[]): void {
    this.deleteWhere((stored) => tags.some((tag) => stored.tags.includes(tag)))
  }

  /** Removes all responses to the URLs for one of whose responses the test is true. */
  deleteWhere(test: StoredTest): void {
    for (const [url, { origin, path, entries }] of this.#byUrl.entries())
      if (entries.some(({ result }) => test({ origin, path, tags: tagsOf(result) })))
        this.#byUrl.delete(url)
  }

  #add(key: CacheKey, result: CacheResult & { body: Buffer }): void {
    const url = urlOf(key)
    const now = Date.now()
    const others = (this.#byUrl.peek(url)?.entries ?? []).filter(
      ({ result: other }) => other.deleteAt > now && isOtherVariant(other, result),
    )
    const entries = [{ result, size: sizeOf(result) }, ...others].slice(0, MAX_VARIANTS)
    const size = entries.reduce((sum, entry) => sum + entry.size, url.length * 2)
    this.#byUrl.set(url, { origin: key.origin, path: key.path, entries, size })
  }
}

function urlOf({ origin, path }: CacheKey): string {
  return `${origin} ${path}`
}

/** Whether both can be kept: Vary names the same fields, and their values differ. Where Vary has changed, the newest decides. */
function isOtherVariant(a: CacheResult, b: CacheResult): boolean {
  const names = Object.keys(a.vary ?? {})
  const isSameVary =
    names.length === Object.keys(b.vary ?? {}).length &&
    names.every((name) => Object.hasOwn(b.vary ?? {}, name))
  return isSameVary && names.some((name) => a.vary?.[name] !== b.vary?.[name])
}

function sizeOf(result: CacheResult & { body: Buffer }): number {
  const text = Object.entries(result.headers).flat(2).join().length
  return result.body.length + 2 * text + OVERHEAD
}
