import { createHash } from 'node:crypto'
import { OptionError } from '@fastcgi/client'
import { LRUCache } from 'lru-cache'
import type { Credentials } from './credentials.ts'
import type { Answer } from './exchange.ts'
import type { DecisionCacheOptions } from './options.ts'

const TTL = 10_000
const MAX = 1000

/** Caches the decisions of one guard (option `cache`): allowed, 401 and 403. */
export class DecisionCache<Source> {
  readonly #key: (request: Source) => string | undefined
  readonly #answers: LRUCache<string, Answer>

  constructor({ key, ttl = TTL, max = MAX }: DecisionCacheOptions<Source>) {
    this.#key = key
    this.#answers = new LRUCache({ max, ttl })
  }

  /** The key of a request; undefined if its decision is not to be cached. Throws what the function `key` throws. */
  keyOf(source: Source, credentials: Credentials | undefined): string | undefined {
    const key: unknown = this.#key(source)
    if (key === undefined) return undefined
    // Other values could become the same text: every promise would be one key.
    if (typeof key !== 'string')
      throw new OptionError('option cache: key must return text, or undefined for no caching')
    if (credentials === undefined) return key
    // Decisions depend on the password whatever `key` returns. It is hashed so that no password is kept in memory.
    const hash = createHash('sha256').update(JSON.stringify(credentials)).digest('base64')
    return `${key}\n${hash}`
  }

  get(key: string): Answer | undefined {
    return this.#answers.get(key)
  }

  set(key: string, method: string | undefined, answer: Answer): void {
    if (isCacheable(answer, method)) this.#answers.set(key, answer)
  }
}

/** Whether a decision may be used for another request. */
function isCacheable(answer: Answer, method: string | undefined): boolean {
  if (answer.allowed) return true
  const { response } = answer
  if (response === undefined) return false
  const { status, body, headers } = response
  if (status !== 401 && status !== 403) return false
  // A response to HEAD lacks the body; a cookie is for one client only.
  const hasCookie = headers.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'set-cookie')
  return method !== 'HEAD' && !hasCookie && (body === null || Buffer.isBuffer(body))
}
