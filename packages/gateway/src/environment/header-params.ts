/**
 * Fields that never become params.
 * - hop-by-hop (RFC 9110 §7.6.1): they speak of the connection, and Transfer-Encoding would contradict CONTENT_LENGTH;
 * - content-length, content-type: they are CONTENT_LENGTH and CONTENT_TYPE (RFC 3875 §4.1.18);
 * - proxy: HTTP_PROXY would set the proxy of the application's own requests (httpoxy, CVE-2016-5385);
 * - redirect-status: php-cgi takes HTTP_REDIRECT_STATUS for a proof (CVE-2024-8927);
 * - expect: has been answered by the server.
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

/** Of those, the ones `passHeaders` can let through: the others would lie about the request. */
const PASSABLE: ReadonlySet<string> = new Set(['expect', 'proxy-authorization', 'te', 'upgrade'])

const CACHE_SIZE = 1024

/**
 * Names of the params that header fields become (RFC 3875 §4.1.18), remembered. Fields with a name outside
 * `[A-Za-z0-9-]` are dropped: `X_Foo` and `X.Foo` would become the same param as `X-Foo`, and so pass a header off as
 * one that a proxy in front has set (GHSA-f59h-q822-g45g, GHSA-49wc-4hcv-v58q).
 */
export class HeaderParams {
  readonly #passed: ReadonlySet<string>
  readonly #replaced: ReadonlySet<string>
  readonly #configured: ReadonlySet<string>
  readonly #cache = new Map<string, string>()

  /**
   * @param passed lower-case names to let through all the same.
   * @param configured params that are set by configuration: no header may set them.
   */
  constructor(passed: readonly string[], configured: ReadonlySet<string>) {
    this.#passed = new Set(passed.map((name) => name.toLowerCase()))
    this.#replaced = new Set([...this.#passed].map((name) => paramName(name)))
    this.#configured = configured
  }

  /** The param of a field with a lower-case name; '' when it becomes none. */
  nameOf(field: string): string {
    const known = this.#cache.get(field)
    if (known !== undefined) return known
    const name = this.#compute(field)
    // Names come from clients: the cache must not grow with their fantasy.
    if (this.#cache.size < CACHE_SIZE) this.#cache.set(field, name)
    return name
  }

  #compute(field: string): string {
    const name = paramName(field)
    if (this.#configured.has(name)) return ''
    if (this.#passed.has(field)) return DROPPED.has(field) && !PASSABLE.has(field) ? '' : name
    if (DROPPED.has(field) || !/^[a-z0-9-]+$/.test(field)) return ''
    // Where X_Foo is let through, X-Foo is not: one name, one meaning.
    return this.#replaced.has(name) ? '' : name
  }
}

/** HTTP_ and the name of a field, in the letters of params. */
export function paramName(field: string): string {
  return `HTTP_${field.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`
}
