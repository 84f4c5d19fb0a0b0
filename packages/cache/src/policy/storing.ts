// Whether a response may be stored, and for how long it may be used (RFC 9111 §3).

import { type FlatFields, filterFields, soleValue, valuesOf } from '../fields.ts'
import { type Directives, parseDirectives } from './directives.ts'
import { type Freshness, freshnessOf, initialAge } from './freshness.ts'
import type { PolicyRequest, StoringRules } from './rules.ts'
import { type Selection, selectionOf, varyNames } from './vary.ts'

/** A response as the application has sent it. */
export interface ReceivedResponse {
  readonly status: number
  /** Fields as they were received. */
  readonly fields: FlatFields
  /** When it was asked for, and when its head arrived: milliseconds since 1970. */
  readonly asked: number
  readonly arrived: number
}

/** What is stored of a response beside its body. */
export interface Storage {
  /** Names of fields that are left out, in lower case. */
  readonly excluded: ReadonlySet<string>
  readonly selection: Selection | undefined
  readonly directives: Directives
  /** Milliseconds since 1970. */
  readonly cachedAt: number
  readonly staleAt: number
  readonly deleteAt: number
}

/** The decision about a response; `because` is for Cache-Status and logs. */
export type StoringDecision =
  | { readonly store: true; readonly storage: Storage }
  | { readonly store: false; readonly because: string }

/** Fields of one connection or of a proxy's authentication, which are not stored (RFC 9111 §3.1). */
const NEVER_STORED = new Set([
  'age',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Final statuses of RFC 9110, for `must-understand`. */
const UNDERSTOOD = new Set([
  200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 305, 307, 308, 400, 401, 402, 403, 404, 405,
  406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 500, 501, 502, 503,
  504, 505,
])

/** How long a stale response with a validator is kept, so that it can be revalidated. Milliseconds. */
const KEPT_FOR_VALIDATION = 86_400_000

/** Decides whether a response to a GET is stored. */
export function decideStoring(
  request: PolicyRequest,
  response: ReceivedResponse,
  rules: StoringRules,
): StoringDecision {
  const { status, fields, arrived } = response
  const freshness = freshnessOf(status, fields, rules, arrived)
  const because =
    refusedByRequest(request, freshness.directives) ??
    refusedByStatus(status) ??
    refusedByDirectives(status, freshness.directives) ??
    refusedByCookie(fields, freshness.directives, rules) ??
    (freshness.source === 'none' ? 'no-freshness' : undefined)
  if (because !== undefined) return refuse(because)
  const names = rules.ignore.has('vary') ? [] : varyNames(fields)
  if (names === undefined) return refuse('vary')
  // A response whose freshness is only estimated has not been declared the same for all: it is for requests without cookies.
  const selecting = freshness.source === 'heuristic' ? [...names, 'cookie'] : names
  const selection = selectionOf(selecting, request.headers)
  if (freshness.source === 'heuristic' && selection.cookie !== null) return refuse('cookie')
  const times = timesOf(response, freshness, rules)
  if (times.deleteAt <= arrived) return refuse('stale')
  const excluded = excludedFields(freshness.directives, rules)
  const hasSelection = selecting.length > 0
  const { directives } = freshness
  return {
    store: true,
    storage: { excluded, selection: hasSelection ? selection : undefined, directives, ...times },
  }
}

function refuse(because: string): StoringDecision {
  return { store: false, because }
}

function refusedByRequest(
  { headers, isRestricted }: PolicyRequest,
  directives: Directives,
): string | undefined {
  if (parseDirectives(lineOf(headers['cache-control']))['no-store']) return 'request-no-store'
  const isAllowed =
    directives.public || directives['must-revalidate'] || directives['s-maxage'] !== undefined
  if (isAllowed) return undefined
  if (headers.authorization !== undefined) return 'authorization'
  return isRestricted ? 'guarded' : undefined
}

/** Interim responses, and those that answer a condition or a range. */
function refusedByStatus(status: number): string | undefined {
  return status < 200 || [206, 304, 412, 416].includes(status) ? 'status' : undefined
}

function refusedByDirectives(status: number, directives: Directives): string | undefined {
  const understands = directives['must-understand'] === true
  if (understands && !UNDERSTOOD.has(status)) return 'must-understand'
  if (directives['no-store'] && !understands) return 'no-store'
  return directives.private === true ? 'private' : undefined
}

/** A response with Set-Cookie is stored only without that field, and only if it says so by name or an option does. */
function refusedByCookie(
  fields: FlatFields,
  directives: Directives,
  { ignore }: StoringRules,
): string | undefined {
  const hasCookie = ['set-cookie', 'set-cookie2'].some((name) => valuesOf(fields, name).length > 0)
  const isNamed = qualified(directives).includes('set-cookie') || ignore.has('set-cookie')
  return hasCookie && !isNamed ? 'set-cookie' : undefined
}

/** Fields that `no-cache="…"` and `private="…"` name. */
function qualified({ private: personal, 'no-cache': revalidated }: Directives): string[] {
  return [personal, revalidated].flatMap((names) => (Array.isArray(names) ? names : []))
}

function excludedFields(directives: Directives, { ignore }: StoringRules): ReadonlySet<string> {
  const cookies = ignore.has('set-cookie') ? ['set-cookie', 'set-cookie2'] : []
  return new Set([...NEVER_STORED, ...qualified(directives), ...cookies])
}

function timesOf(
  response: ReceivedResponse,
  { lifetime, directives }: Freshness,
  rules: StoringRules,
): Pick<Storage, 'cachedAt' | 'staleAt' | 'deleteAt'> {
  const { fields, asked, arrived } = response
  const cachedAt = arrived - initialAge(fields, asked, arrived)
  const staleAt = directives['no-cache'] === true ? cachedAt : cachedAt + lifetime
  const afterwards = Math.max(
    staleWhileRevalidate(directives, rules),
    staleIfError(directives, rules),
    hasValidator(fields) ? Math.max(lifetime, KEPT_FOR_VALIDATION) : 0,
  )
  return { cachedAt, staleAt, deleteAt: Math.max(staleAt, cachedAt) + afterwards }
}

export function hasValidator(fields: FlatFields): boolean {
  return soleValue(fields, 'etag') !== undefined || soleValue(fields, 'last-modified') !== undefined
}

/** Whether the response forbids being used stale (RFC 9111 §4.2.4); `s-maxage` does it as `proxy-revalidate`. */
function forbidsStale(directives: Directives): boolean {
  return (
    directives['no-cache'] === true ||
    directives['must-revalidate'] === true ||
    directives['proxy-revalidate'] === true ||
    directives['s-maxage'] !== undefined
  )
}

/** For how many milliseconds a stale response is used while a new one is fetched (RFC 5861 §3). */
export function staleWhileRevalidate(directives: Directives, rules: StoringRules): number {
  const given = directives['stale-while-revalidate']
  if (forbidsUnless(directives, given)) return 0
  return given === undefined ? rules.staleWhileRevalidate : given * 1000
}

/** For how many milliseconds a stale response is used in place of an error (RFC 5861 §4). */
export function staleIfError(directives: Directives, rules: StoringRules): number {
  const given = directives['stale-if-error']
  if (forbidsUnless(directives, given)) return 0
  return given === undefined ? rules.staleIfError : given * 1000
}

/** `s-maxage` beside a stale window that is named itself is common, and means the window (Fastly, Cloudflare, Varnish). */
function forbidsUnless(directives: Directives, given: number | undefined): boolean {
  const { 's-maxage': _, ...others } = directives
  return forbidsStale(given === undefined ? directives : others)
}

function lineOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value
}

/** The fields of a response that are stored. */
export function storedFields(fields: FlatFields, excluded: ReadonlySet<string>): string[] {
  return filterFields(fields, (name) => !excluded.has(name))
}
