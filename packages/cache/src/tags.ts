// Tags of responses, by which several of them can be purged at once.

import { type FlatFields, valuesOf } from './fields.ts'

/**
 * The field under which a store finds the tags of a response, separated by commas. Stores that index tags take its name as an
 * option (`new RedisCacheStore({ cacheTagsHeader: CACHE_TAGS_FIELD })`). It is never sent to clients.
 */
export const CACHE_TAGS_FIELD = 'x-fastcgi-cache-tags'

/** Fields of applications: Cache-Tag is separated by commas, Surrogate-Key and xkey by spaces. */
const TAG_FIELDS = ['cache-tag', 'surrogate-key', 'xkey']

/** Tags that a response names itself. */
export function tagsIn(fields: FlatFields): string[] {
  const lines = TAG_FIELDS.flatMap((name) => valuesOf(fields, name))
  return [...new Set(lines.flatMap((line) => line.split(/[\s,]+/)).filter((tag) => tag !== ''))]
}

/** Tags of a stored response. */
export function tagsOf(stored: { headers: Record<string, string | string[]> }): readonly string[] {
  const tags = stored.headers[CACHE_TAGS_FIELD]
  return tags === undefined ? [] : String(tags).split(',')
}
