// How long a response is fresh, and how old it is (RFC 9111 §4.2).

import { combined, type FlatFields, soleValue, valuesOf } from '../fields.ts'
import { type Directives, MAX_SECONDS, parseDirectives } from './directives.ts'
import { parseHttpDate } from './http-date.ts'
import type { StoringRules } from './rules.ts'
import { parseTargeted } from './targeted-directives.ts'

/** Where the freshness of a response comes from. */
export type FreshnessSource = 'response' | 'rules' | 'heuristic' | 'none'

export interface Freshness {
  /** Directives that apply to this cache: those of CDN-Cache-Control, else of Cache-Control. */
  readonly directives: Directives
  /** Milliseconds from the time it was generated. */
  readonly lifetime: number
  readonly source: FreshnessSource
}

/** Statuses with a freshness that may be estimated (RFC 9110 §15.1). */
const HEURISTIC = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
/** Part of the time since the last change (RFC 9111 §4.2.2), and the longest lifetime so estimated, in milliseconds. */
const HEURISTIC_FRACTION = 0.1
const MAX_HEURISTIC = 86_400_000

/** The freshness of a response, from the most specific field to the least: as nginx, then RFC 9213, RFC 9111 §4.2.1. */
export function freshnessOf(
  status: number,
  fields: FlatFields,
  rules: StoringRules,
  now: number,
): Freshness {
  const { ignore } = rules
  const accel = ignore.has('x-accel-expires') ? undefined : accelLifetime(fields, now)
  if (accel !== undefined) return { directives: {}, lifetime: accel, source: 'response' }
  const targeted = ignore.has('cdn-cache-control')
    ? undefined
    : parseTargeted(combined(fields, 'cdn-cache-control'))
  const control = ignore.has('cache-control') ? undefined : combined(fields, 'cache-control')
  const directives = targeted ?? parseDirectives(control)
  const seconds = directives['s-maxage'] ?? directives['max-age']
  if (seconds !== undefined) return { directives, lifetime: seconds * 1000, source: 'response' }
  // RFC 9213 §2.2: Expires does not count beside a targeted field.
  const hasExpires = targeted === undefined && !ignore.has('expires')
  const lines = hasExpires ? valuesOf(fields, 'expires') : []
  if (lines.length > 0)
    return { directives, lifetime: expiresLifetime(fields, lines, now), source: 'response' }
  if (directives['no-cache'] === true) return { directives, lifetime: 0, source: 'response' }
  const valid = rules.valid[status] ?? rules.valid.any
  if (valid !== undefined) return { directives, lifetime: valid, source: 'rules' }
  return estimated(status, fields, directives, rules, now)
}

/** Milliseconds of X-Accel-Expires (nginx): seconds, 0 for none, or `@` and a time. */
function accelLifetime(fields: FlatFields, now: number): number | undefined {
  const match = /^(@?)(\d{1,12})$/.exec(soleValue(fields, 'x-accel-expires') ?? '')
  if (match === null) return undefined
  const seconds = Number(match[2])
  return match[1] === '@' ? seconds * 1000 - now : seconds * 1000
}

function expiresLifetime(fields: FlatFields, lines: readonly string[], now: number): number {
  const expires = lines.length === 1 ? parseHttpDate(lines[0]) : undefined
  return expires === undefined ? 0 : expires - (parseHttpDate(soleValue(fields, 'date')) ?? now)
}

function estimated(
  status: number,
  fields: FlatFields,
  directives: Directives,
  rules: StoringRules,
  now: number,
): Freshness {
  const changed = parseHttpDate(soleValue(fields, 'last-modified'))
  const applies = rules.heuristic && (HEURISTIC.has(status) || directives.public === true)
  if (!applies || changed === undefined)
    return { directives, lifetime: 0, source: directives.public ? 'response' : 'none' }
  const date = parseHttpDate(soleValue(fields, 'date')) ?? now
  const lifetime = Math.min(Math.max(0, date - changed) * HEURISTIC_FRACTION, MAX_HEURISTIC)
  return { directives, lifetime, source: directives.public ? 'response' : 'heuristic' }
}

/**
 * The age in milliseconds of a response that has just arrived (RFC 9111 §4.2.3).
 * @param asked when it was asked for; the time since then counts only if another cache has sent Age.
 */
export function initialAge(fields: FlatFields, asked: number, now: number): number {
  const date = parseHttpDate(soleValue(fields, 'date'))
  const apparent = date === undefined ? 0 : Math.max(0, now - date)
  const first = valuesOf(fields, 'age')[0]?.split(',', 1)[0]?.trim() ?? ''
  if (!/^\d+$/.test(first)) return apparent
  return Math.max(apparent, Math.min(Number(first), MAX_SECONDS) * 1000 + now - asked)
}
