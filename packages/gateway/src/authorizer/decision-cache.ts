import { createHash } from 'node:crypto'
import { OptionError } from '@fastcgi/client'
import { LRUCache } from 'lru-cache'
import type { Credentials } from './credentials.ts'
import type { Answer } from './exchange.ts'
import type { DecisionCacheOptions } from './options.ts'

const TTL = 10_000
const MAX = 1000

/** Answers of one guard, remembered for a while: yes, 401 and 403. */
export class DecisionCache<Source> {
  readonly #key: (request: Source) => string | undefined
  readonly #answers: LRUCache<string, Answer>

  constructor({ key, ttl = TTL, max = MAX }: DecisionCacheOptions<Source>) {
    this.#key = key
    this.#answers = new LRUCache({ max, ttl })
  }

  /** The key of a request; undefined when it is not to be remembered. Throws what the user's function throws. */
  keyOf(source: Source, credentials: Credentials | undefined): string | undefined {
    const key: unknown = this.#key(source)
    if (key === undefined) return undefined
    // Promises, for instance, would all be the same key.
    if (typeof key !== 'string')
      throw new OptionError('option cache: key must return text, or undefined for no caching')
    if (credentials === undefined) return key
    // Whatever the user's key says: another password is another question. And no password is kept.
    const hash = createHash('sha256').update(JSON.stringify(credentials)).digest('base64')
    return `${key}\n${hash}`
  }

  get(key: string): Answer | undefined {
    return this.#answers.get(key)
  }

  set(key: string, method: string | undefined, answer: Answer): void {
    if (isLasting(answer, method)) this.#answers.set(key, answer)
  }
}

/** Whether an answer would do for another request as well. */
function isLasting(answer: Answer, method: string | undefined): boolean {
  if (answer.allowed) return true
  const { response } = answer
  if (response === undefined) return false
  const { status, body, headers } = response
  if (status !== 401 && status !== 403) return false
  // The answer to HEAD is short of its body; a cookie is for one client.
  const hasCookie = headers.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'set-cookie')
  return method !== 'HEAD' && !hasCookie && (body === null || Buffer.isBuffer(body))
}
