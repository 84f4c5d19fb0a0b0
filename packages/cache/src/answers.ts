// Answers for clients, and what a store is given of a response.

import { hitStatus } from './cache-status.ts'
import type { CacheKey, CacheValue } from './cache-store.ts'
import type { CacheAnswer, CacheRequest, OriginResponse, ResponseHead } from './exchange.ts'
import { soleValue, toRecord, valuesOf } from './fields.ts'
import type { Storage } from './policy/storing.ts'
import type { StoredResponse } from './stores/stored-response.ts'
import { CACHE_TAGS_FIELD, tagsIn } from './tags.ts'

/** A stored response as an answer, with its age. @param own further fields, for one client. */
export function answerOf(
  stored: StoredResponse,
  cacheStatus: string,
  now: number,
  own: readonly string[] = [],
): CacheAnswer {
  const { status, reason, body } = stored
  const fields = [
    ...stored.fields,
    'age',
    String(ageOf(stored, now)),
    'cache-status',
    cacheStatus,
    ...own,
  ]
  return { status, reason, fields, body, isWhole: true }
}

/**
 * A fresh stored response as an answer. It is the same object until its age or its remaining lifetime has another number of
 * seconds.
 */
export function hitOf(stored: StoredResponse, now: number): CacheAnswer {
  const { hit, cachedAt, staleAt } = stored
  if (hit !== undefined && now >= hit.from && now < hit.until) return hit.answer
  const left = staleAt - now
  const answer = answerOf(stored, hitStatus(left), now)
  const nextAge = cachedAt + (ageOf(stored, now) + 1) * 1000
  const nextLeft = now + (left % 1000) + 1
  stored.hit = { answer, from: now, until: Math.min(nextAge, nextLeft) }
  return answer
}

/** Seconds. */
function ageOf({ cachedAt }: StoredResponse, now: number): number {
  return Math.max(0, Math.floor((now - cachedAt) / 1000))
}

export function keyOf({
  origin,
  path,
  headers,
}: Pick<CacheRequest, 'origin' | 'path' | 'headers'>): CacheKey {
  return { origin, path, method: 'GET', headers: headers as NonNullable<CacheKey['headers']> }
}

export function originAnswer(
  { status, reason, fields, body }: OriginResponse,
  cacheStatus: string,
  isWhole: boolean,
): CacheAnswer {
  return { status, reason, fields: [...fields, 'Cache-Status', cacheStatus], body, isWhole }
}

/** The head of a response as a store keeps it. */
export function storedValue(
  { status, reason, fields }: Pick<OriginResponse, 'status' | 'reason' | 'fields'>,
  { selection, directives, cachedAt, staleAt, deleteAt }: Storage,
  tags: readonly string[],
): CacheValue {
  const hasDate = valuesOf(fields, 'date').length > 0
  const dated = hasDate ? fields : [...fields, 'date', new Date().toUTCString()]
  const headers = toRecord(dated)
  const etag = soleValue(fields, 'etag')
  return {
    statusCode: status,
    statusMessage: reason,
    headers: tags.length === 0 ? headers : { ...headers, [CACHE_TAGS_FIELD]: tags.join(',') },
    ...(selection !== undefined && { vary: selection }),
    ...(etag !== undefined && { etag }),
    cacheControlDirectives: directives,
    cachedAt,
    staleAt,
    deleteAt,
  }
}

/** The tags that a response names, and those that the option `tags` adds. */
export function tagsFor(request: CacheRequest, response: ResponseHead): string[] {
  return [...tagsIn(response.fields), ...(request.tags?.(response) ?? [])]
}

/** Nobody gets the response. */
export function drop(response: OriginResponse | undefined): void {
  const body = response?.body ?? null
  if (body !== null && !Buffer.isBuffer(body)) body.on('error', () => {}).destroy()
}
