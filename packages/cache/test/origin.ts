/** An application in memory, and clients that ask a cache for it. */
import { PassThrough, type Readable } from 'node:stream'
import type {
  CacheAnswer,
  CacheRequest,
  Fetch,
  OriginCallback,
  RequestFields,
  SharedCache,
  Waiting,
} from '@fastcgi/cache'

/** A request that the application has got, and has not answered yet. */
export interface Asked {
  readonly fields: RequestFields
  isAborted: boolean
  /** Answers it. A body of undefined is a stream, which is returned. */
  answer(fields: string[], body?: string | null, status?: number): PassThrough
  fail(error: Error): void
}

export class Origin {
  readonly asked: Asked[] = []

  readonly fetch: Fetch = (fields, callback) => {
    const asked = request(fields, callback)
    this.asked.push(asked)
    return {
      abort() {
        asked.isAborted = true
      },
    }
  }

  /** The last request. */
  get last(): Asked {
    const last = this.asked.at(-1)
    if (last === undefined) throw new Error('the application has not been asked')
    return last
  }
}

function request(fields: RequestFields, callback: OriginCallback): Asked {
  return {
    fields,
    isAborted: false,
    answer(received, body, status = 200) {
      const stream = new PassThrough()
      const whole = typeof body === 'string' ? Buffer.from(body) : body
      const response = { status, reason: '', fields: received, received }
      callback(undefined, { ...response, body: whole === undefined ? stream : whole })
      return stream
    },
    fail: (error) => callback(error, undefined),
  }
}

/** What a client has got. */
export interface Client {
  readonly waiting: Waiting
  readonly answer: CacheAnswer | undefined
  readonly error: unknown
  /** Cache-Status of the answer. */
  readonly cacheStatus: string
  field(name: string): string | undefined
  text(): Promise<string>
}

export function ask(cache: SharedCache, origin: Origin, more: Partial<CacheRequest> = {}): Client {
  let answer: CacheAnswer | undefined
  let error: unknown
  const request = { method: 'GET', origin: 'http://a', path: '/', headers: {}, isRestricted: false }
  const waiting = cache.handle({ ...request, ...more }, origin.fetch, (failure, given) => {
    if (answer !== undefined || error !== undefined) throw new Error('answered twice')
    answer = given
    error = failure
  })
  const field = (name: string): string | undefined => {
    const at = answer?.fields.findIndex((text, at) => at % 2 === 0 && text.toLowerCase() === name)
    return at === undefined || at === -1 ? undefined : answer?.fields[at + 1]
  }
  return {
    waiting,
    field,
    get answer() {
      return answer
    },
    get error() {
      return error
    },
    get cacheStatus() {
      return field('cache-status') ?? ''
    },
    text: () => textOf(answer?.body ?? null),
  }
}

async function textOf(body: Buffer | Readable | null): Promise<string> {
  if (body === null || Buffer.isBuffer(body)) return String(body ?? '')
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** Lets what is written to a store be stored. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
}
