import type { Exchange } from '../exchange/exchange.ts'

/** What a connection and the pool note about the connection, and the pool decides by. Times are those of performance.now(). */
export class PooledState {
  readonly createdAt: number
  /** Maximum number of requests at the same time; set by the pool. */
  capacity: number
  /** Number of requests started. */
  requests = 0
  /** When it was closed; 0 before that. */
  closedAt = 0
  /** When it became idle, or was half-closed; set by the pool. */
  idleSince = 0
  /** When it proved to have a worker; set by the pool. */
  takenAt = 0
  /** Milliseconds that the last response took to begin; set by the pool. */
  answeredIn = 0
  /** When data was last read. */
  readAt = 0
  /** {@link Exchange.script} and `idempotent` of the last request. */
  script = ''
  idempotent = false
  /** The same of the request before; undefined after the first one. */
  previousScript: string | undefined
  previousIdempotent = false
  /**
   * Milliseconds from the last response until the application closed its side of the half-closed connection; NaN if the
   * time is not known, undefined before that and when it did not.
   */
  afterWork: number | undefined

  constructor(createdAt: number, capacity: number) {
    this.createdAt = createdAt
    this.capacity = capacity
  }

  /** Whether it was closed, so that nothing can be sent on it. */
  get closed(): boolean {
    return this.closedAt !== 0
  }

  /** Notes that a request is started. */
  protected noteRequest({ script, idempotent }: Exchange): void {
    if (this.requests > 0) {
      this.previousScript = this.script
      this.previousIdempotent = this.idempotent
    }
    this.requests++
    this.script = script
    this.idempotent = idempotent
  }
}
