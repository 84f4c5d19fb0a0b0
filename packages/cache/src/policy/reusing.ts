// Whether a stored response may be used for a request (RFC 9111 §4, §5.2.1).

import type { RequestFields } from '../fields.ts'
import { type Directives, parseDirectives } from './directives.ts'
import type { StoringRules } from './rules.ts'
import { staleIfError, staleWhileRevalidate } from './storing.ts'

/** Times and directives of a stored response. */
export interface StoredTimes {
  readonly cachedAt: number
  readonly staleAt: number
  readonly directives: Directives
}

/**
 * `'fresh'`: used as it is. `'allowed'`: stale, and the client takes it. `'updating'`: used, and a new one is fetched.
 * `'validate'`: not used before the application has been asked.
 */
export type Reuse = 'fresh' | 'allowed' | 'updating' | 'validate'

const NONE: Directives = {}

/** The directives of a request. `Pragma: no-cache` counts where there is no Cache-Control (RFC 9111 §5.4). */
export function requestDirectives(headers: RequestFields): Directives {
  const { 'cache-control': control, pragma } = headers
  if (control !== undefined)
    return parseDirectives(Array.isArray(control) ? control.join(',') : control)
  return pragma !== undefined && /\bno-cache\b/i.test(String(pragma)) ? { 'no-cache': true } : NONE
}

/** Decides how a stored response may be used. */
export function decideReuse(
  stored: StoredTimes,
  asked: Directives,
  rules: StoringRules,
  now: number,
): Reuse {
  if (asked['no-cache']) return 'validate'
  const age = now - stored.cachedAt
  const left = stored.staleAt - now
  const { 'max-age': maxAge, 'min-fresh': minFresh = 0, 'max-stale': maxStale } = asked
  if (maxAge !== undefined && age >= maxAge * 1000) return 'validate'
  if (left > minFresh * 1000) return 'fresh'
  if (left > 0) return 'validate'
  if (-left < staleWhileRevalidate(stored.directives, rules)) return 'updating'
  const allows = maxStale !== undefined && -left < maxStale * 1000
  return allows && allowsMaxStale(stored.directives) ? 'allowed' : 'validate'
}

function allowsMaxStale(directives: Directives): boolean {
  const { 'no-cache': noCache, 'must-revalidate': must, 'proxy-revalidate': proxy } = directives
  return noCache !== true && !must && !proxy && directives['s-maxage'] === undefined
}

/** Whether a stored response may be used in place of an error. */
export function mayReplaceError(stored: StoredTimes, rules: StoringRules, now: number): boolean {
  const window = staleIfError(stored.directives, rules)
  return window > 0 && now - stored.staleAt < window
}
