// What the options of a cache say about storing, as the policy needs it.

/** Lifetimes in milliseconds of responses that say nothing of their freshness, by status; `any` for all others. */
export interface ValidTimes {
  readonly [status: number]: number
  readonly any?: number | undefined
}

/** Names of response fields that storing can ignore. */
export type IgnorableField =
  | 'set-cookie'
  | 'vary'
  | 'cache-control'
  | 'cdn-cache-control'
  | 'expires'
  | 'x-accel-expires'

export interface StoringRules {
  readonly valid: ValidTimes
  readonly ignore: ReadonlySet<string>
  /** Whether freshness is estimated from Last-Modified. */
  readonly heuristic: boolean
  /** Milliseconds, for responses that do not say it themselves. */
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
}

/** A request, as far as the cache looks at it. */
export interface PolicyRequest {
  readonly method: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /**
   * Whether the response may depend on who asks: a guard has let the request through, or params were added to it. Its response
   * is then stored only if it allows that as for Authorization (RFC 9111 §3.5).
   */
  readonly isRestricted: boolean
}
