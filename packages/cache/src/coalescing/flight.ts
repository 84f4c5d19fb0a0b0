// A request to the application that several clients wait for (nginx `fastcgi_cache_lock`).

import type { CacheRequest, Running, Waiting } from '../exchange.ts'
import { type Selection, selects } from '../policy/vary.ts'
import type { StoredResponse } from '../stores/stored-response.ts'
import type { SharedBody } from './shared-body.ts'

/** What a flight has brought, for those who join it then. */
export interface Arrival {
  readonly stored: StoredResponse
  /** The body while it is coming; else it is in `stored`. */
  readonly body: SharedBody | undefined
  readonly selection: Selection | undefined
}

/** One request to the application, and who waits for it. */
export class Flight {
  /** The request that it was made for. */
  readonly request: CacheRequest
  /** The stale response that it validates or replaces. */
  readonly stale: StoredResponse | undefined
  readonly isValidating: boolean
  /** Milliseconds since 1970. */
  readonly asked: number = Date.now()
  readonly waiting: Set<Waiting> = new Set()
  /** Fields that selected the last response to this URL; undefined if that is not known. */
  readonly selection: Selection | undefined
  /** Set once the head has come and can be shared. */
  arrival: Arrival | undefined
  running: Running | undefined
  /** Its response must not be stored: the URL was invalidated in the meantime. */
  isObsolete = false
  isOver = false

  constructor(
    request: CacheRequest,
    stale: StoredResponse | undefined,
    isValidating: boolean,
    selection: Selection | undefined,
  ) {
    this.request = request
    this.stale = stale
    this.isValidating = isValidating
    this.selection = selection
  }

  /** Whether a request may wait for this one. */
  accepts({ headers }: CacheRequest): boolean {
    if (this.isObsolete || this.isOver) return false
    if (this.arrival === undefined) return selects(this.selection, headers)
    const { body, selection } = this.arrival
    return selects(selection, headers) && body?.canBeJoined !== false
  }

  /** A client has gone. If nobody waits for the head any more, the application need not go on. */
  leave(waiting: Waiting): void {
    if (this.waiting.delete(waiting) && this.waiting.size === 0 && this.arrival === undefined) {
      this.isOver = true
      this.running?.abort()
    }
  }
}
