/**
 * Fields of a response that do not reach the client: those that speak of the connection (RFC 9110 §7.6.1; RFC 3875
 * §6.3.4 forbids them), and those by which an application instructs the gateway.
 */
const DROPPED: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'http2-settings',
  'status',
  'x-accel-charset',
  'x-accel-expires',
  'x-accel-limit-rate',
  'x-accel-redirect',
  'x-lighttpd-kbytes-per-second',
  'x-lighttpd-send-file',
  'x-sendfile',
  'x-sendfile2',
])

/** Fields that may come more than once; of others the first one counts, as with nginx. */
const REPEATABLE: ReadonlySet<string> = new Set([
  'cache-control',
  'content-security-policy',
  'content-security-policy-report-only',
  'link',
  'pragma',
  'server-timing',
  'set-cookie',
  'vary',
  'warning',
  'www-authenticate',
  'proxy-authenticate',
])

/** Fields of a response as the client gets them. */
export interface ResponseFields {
  /** Name, value, name, value…; order and case as the application gave them. */
  headers: string[]
  /** Content-Length, if the application gave one. */
  contentLength: number | undefined
  /** Whether the application says that it has cut the body into chunks itself. */
  transferEncoding: string | undefined
  /** Whether the response is to be buffered (nginx X-Accel-Buffering); undefined where the application says nothing. */
  buffering: boolean | undefined
}

const BUFFERING: Readonly<Record<string, boolean>> = { yes: true, no: false }

/** Takes out what is not for the client. */
export function responseFields(flat: readonly string[]): ResponseFields {
  const fields: ResponseFields = {
    headers: [],
    contentLength: undefined,
    transferEncoding: undefined,
    buffering: undefined,
  }
  const named = connectionNames(flat)
  const seen = new Set<string>()
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = flat[at] ?? ''
    const value = flat[at + 1] ?? ''
    const lower = name.toLowerCase()
    if (lower === 'transfer-encoding') fields.transferEncoding = value.toLowerCase()
    else if (lower === 'x-accel-buffering') fields.buffering = BUFFERING[value.toLowerCase()]
    else if (DROPPED.has(lower) || named?.has(lower)) continue
    else if (REPEATABLE.has(lower) || lower.startsWith('x-') || !seen.has(lower)) {
      seen.add(lower)
      if (lower === 'content-length') fields.contentLength = Number(value)
      fields.headers.push(name, value)
    }
  }
  return fields
}

function connectionNames(flat: readonly string[]): Set<string> | undefined {
  for (let at = 0; at < flat.length; at += 2)
    if (flat[at]?.length === 10 && flat[at]?.toLowerCase() === 'connection')
      return new Set((flat[at + 1] ?? '').toLowerCase().split(/[\s,]+/))
  return undefined
}

/** The first value of a field, whatever its case. */
export function fieldValue(flat: readonly string[], name: string): string | undefined {
  const wanted = name.toLowerCase()
  for (let at = 0; at + 1 < flat.length; at += 2)
    if (flat[at]?.toLowerCase() === wanted) return flat[at + 1]
  return undefined
}

/** All fields but those with one of the names, which are in lower case. */
export function withoutFields(flat: readonly string[], names: ReadonlySet<string>): string[] {
  return flat.filter((_, at) => !names.has(flat[at - (at % 2)]?.toLowerCase() ?? ''))
}

/** Value of a field as frameworks keep it. */
export type FieldValue = string | string[] | number | undefined

/**
 * Fields as node:http's setHeader and Fastify want them: lower-case names, repeated ones as arrays.
 * @param own what middleware has set of a field before, where the application's is to come on top of it.
 */
export function groupFields(
  flat: readonly string[],
  own: (name: string) => FieldValue,
): Record<string, string | string[]> {
  const grouped: Record<string, string | string[]> = Object.create(null)
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = (flat[at] ?? '').toLowerCase()
    const value = flat[at + 1] ?? ''
    const known = name in grouped ? grouped[name] : own(name)
    if (known === undefined) grouped[name] = value
    else grouped[name] = [...(Array.isArray(known) ? known : [String(known)]), value]
  }
  return grouped
}
