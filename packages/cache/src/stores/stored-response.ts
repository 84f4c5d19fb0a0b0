// A stored response, ready to be sent.

import type { CacheResult } from '../cache-store.ts'
import type { CacheAnswer } from '../exchange.ts'
import { toFlat, valuesOf } from '../fields.ts'
import type { Directives } from '../policy/directives.ts'
import { CACHE_TAGS_FIELD } from '../tags.ts'

export interface StoredResponse {
  readonly status: number
  readonly reason: string
  /** Fields for clients, without Age. */
  readonly fields: readonly string[]
  readonly body: Buffer
  readonly directives: Directives
  /** Milliseconds since 1970. */
  readonly cachedAt: number
  readonly staleAt: number
  readonly vary: CacheResult['vary']
  /** The answer of the last hit, and in which milliseconds since 1970 it holds. */
  hit?: { readonly answer: CacheAnswer; readonly from: number; readonly until: number }
}

/** The response of a result that a store returns more than once. Not in a WeakMap, whose look-up costs more. */
const PREPARED = Symbol('prepared')

interface KnownResult extends CacheResult {
  [PREPARED]?: StoredResponse
}

const NO_BODY = Buffer.alloc(0)

/** The response of a result of a store. @param whole its body; undefined while it is coming. */
export function storedResponse(result: CacheResult, whole: Buffer | undefined): StoredResponse {
  const known = (result as KnownResult)[PREPARED]
  if (known !== undefined) return known
  const { [CACHE_TAGS_FIELD]: _tags, ...headers } = result.headers
  const fields = toFlat(headers)
  const hasLength = valuesOf(fields, 'content-length').length > 0 || result.statusCode === 204
  if (!hasLength && whole !== undefined) fields.push('content-length', String(whole.length))
  const body = whole ?? NO_BODY
  const { statusCode, statusMessage, cachedAt, staleAt, vary } = result
  const directives = result.cacheControlDirectives ?? {}
  const times = { cachedAt, staleAt, directives }
  const response = { status: statusCode, reason: statusMessage, fields, body, vary, ...times }
  if (result.body === body) Object.defineProperty(result, PREPARED, { value: response })
  return response
}

/**
 * Reads the body of a result, up to a number of bytes.
 * @throws RangeError for a longer one, and what the store's stream throws.
 */
export async function readBody(result: CacheResult, limit: number): Promise<Buffer> {
  const { body } = result
  if (body === undefined) return Buffer.alloc(0)
  if (typeof body === 'string') return Buffer.from(body)
  if (Buffer.isBuffer(body)) return body
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Uint8Array | string>) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk)
    size += bytes.length
    if (size > limit) throw new RangeError(`the stored body is longer than ${limit} bytes`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}
