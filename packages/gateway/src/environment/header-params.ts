// Maps header fields to HTTP_* params, and decides which fields become none.

import type { ReservedParams } from './reserved-params.ts'

/**
 * Fields that do not become params:
 * - hop-by-hop fields (RFC 9110 §7.6.1): they concern one connection, and Transfer-Encoding would contradict CONTENT_LENGTH;
 * - content-length, content-type: sent as CONTENT_LENGTH and CONTENT_TYPE (RFC 3875 §4.1.18);
 * - proxy: HTTP_PROXY would set the proxy of the application's own requests (httpoxy, CVE-2016-5385);
 * - redirect-status: php-cgi accepts HTTP_REDIRECT_STATUS as proof that a web server redirected to it (CVE-2024-8927);
 * - expect: the server has already answered it.
 */
const DROPPED: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'content-type',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'redirect-status',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Dropped fields that `passHeaders` can let through. The others would make wrong statements about the request. */
const PASSABLE: ReadonlySet<string> = new Set(['expect', 'proxy-authorization', 'te', 'upgrade'])

const CACHE_SIZE = 1024

/**
 * Finds the param that a header field becomes (RFC 3875 §4.1.18), with a cache. Fields with a name outside `[A-Za-z0-9-]`
 * are dropped: `X_Foo` and `X.Foo` become the same param as `X-Foo`, so a client could forge a field that a proxy in front
 * sets (GHSA-f59h-q822-g45g, GHSA-49wc-4hcv-v58q).
 */
export class HeaderParams {
  readonly #passed: ReadonlySet<string>
  readonly #replaced: ReadonlySet<string>
  readonly #configured: ReadonlySet<string>
  readonly #reserved: ReservedParams
  readonly #cache = new Map<string, string>()

  /**
   * @param passed names of fields that are let through although they are dropped by default.
   * @param configured params that are set by configuration, which no header field may set.
   * @param reserved further params that no header field may set.
   */
  constructor(
    passed: readonly string[],
    configured: ReadonlySet<string>,
    reserved: ReservedParams,
  ) {
    this.#passed = new Set(passed.map((name) => name.toLowerCase()))
    this.#replaced = new Set([...this.#passed].map((name) => paramName(name)))
    this.#configured = configured
    this.#reserved = reserved
  }

  /** The param of a field, given its lower-case name; '' if it becomes none. */
  nameOf(field: string): string {
    let name = this.#cache.get(field)
    if (name === undefined) {
      name = this.#compute(field)
      // Clients choose the names, so the cache is bounded.
      if (this.#cache.size < CACHE_SIZE) this.#cache.set(field, name)
    }
    // Not in the cache: a param may become reserved later.
    return this.#reserved.has(name) ? '' : name
  }

  #compute(field: string): string {
    const name = paramName(field)
    if (this.#configured.has(name)) return ''
    if (this.#passed.has(field)) {
      // `redirect_status` would become the same param as `redirect-status`.
      const plain = field.replace(/[^a-z0-9]/g, '-')
      return DROPPED.has(plain) && !PASSABLE.has(plain) ? '' : name
    }
    if (DROPPED.has(field) || !/^[a-z0-9-]+$/.test(field)) return ''
    // If X_Foo is let through, X-Foo is dropped: only one of them may become HTTP_X_FOO.
    return this.#replaced.has(name) ? '' : name
  }
}

/** `HTTP_` and the name of a field in upper case, with `_` for all other characters. */
export function paramName(field: string): string {
  return `HTTP_${field.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`
}
