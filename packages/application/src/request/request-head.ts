// Derives the head of an HTTP request from the params of a FastCGI request (RFC 3875 §4.1).
/** Addresses of the HTTP client and the web server, for `req.socket`. */
export interface Client {
  remoteAddress: string | undefined
  remotePort: number | undefined
  remoteFamily: string | undefined
  localAddress: string | undefined
  localPort: number | undefined
  encrypted: boolean
}

/** Request line, fields and client of an HTTP request. */
export interface RequestHead {
  method: string
  url: string
  httpVersionMinor: 0 | 1
  /** Name, value, name, value…; params do not preserve the case of names, so they are Written-Like-This. */
  rawHeaders: string[]
  /** CONTENT_LENGTH in bytes; undefined if missing or empty, NaN if not a number. */
  contentLength: number | undefined
  client: Client
}

/** Methods whose requests have `Content-Length: 0` if they have no body (RFC 9110 §8.6). */
const EXPECT_LENGTH = new Set(['POST', 'PUT', 'PATCH'])

/**
 * Derives the head of a request from its params.
 * @param pairs decoded as latin1, as node:http decodes fields. Of several params with the same name the last one counts, as
 * in PHP, but each field of the request is kept, so that node:http joins or drops them as it does with those of HTTP.
 */
export function readRequestHead(pairs: ReadonlyArray<readonly [string, string]>): RequestHead {
  const params = new Map(pairs)
  const method = params.get('REQUEST_METHOD') ?? ''
  const contentLength = readLength(params.get('CONTENT_LENGTH'))
  const head: RequestHead = {
    method,
    url: readUrl(params),
    // 1.1 for HTTP/2 and later as well: `res` is a ServerResponse of HTTP/1.
    httpVersionMinor: params.get('SERVER_PROTOCOL') === 'HTTP/1.0' ? 0 : 1,
    rawHeaders: [],
    contentLength,
    client: readClient(params),
  }
  const contentType = params.get('CONTENT_TYPE')
  if (contentType) addField(head, CONTENT_TYPE, contentType)
  // lighttpd sends CONTENT_LENGTH=0 for every request without a body.
  if (contentLength !== undefined && (contentLength > 0 || EXPECT_LENGTH.has(method)))
    addField(head, CONTENT_LENGTH, String(contentLength))
  for (const [name, value] of pairs) {
    if (!name.startsWith('HTTP_')) continue
    const field = fieldName(name)
    if (field === CONTENT_TYPE || field === CONTENT_LENGTH) continue
    // A web server that sends CONTENT_LENGTH has decoded the body.
    if (field.lower === 'transfer-encoding' && contentLength !== undefined) continue
    addField(head, field, value)
  }
  return head
}

/** The name of a header field. */
interface FieldName {
  readonly lower: string
  readonly shown: string
}

const CONTENT_TYPE: FieldName = { lower: 'content-type', shown: 'Content-Type' }
const CONTENT_LENGTH: FieldName = { lower: 'content-length', shown: 'Content-Length' }

/** Cache of field names by param name. It is bounded, because a client can send arbitrary names. */
const fieldNames = new Map<string, FieldName>([
  ['HTTP_CONTENT_TYPE', CONTENT_TYPE],
  ['HTTP_CONTENT_LENGTH', CONTENT_LENGTH],
])
const MAX_FIELD_NAMES = 1000

function fieldName(param: string): FieldName {
  const known = fieldNames.get(param)
  if (known !== undefined) return known
  const lower = param.slice('HTTP_'.length).toLowerCase().replaceAll('_', '-')
  const field = { lower, shown: lower.replace(/(?<![^-])[a-z]/g, (letter) => letter.toUpperCase()) }
  if (fieldNames.size < MAX_FIELD_NAMES) fieldNames.set(param, field)
  return field
}

function addField(head: RequestHead, name: FieldName, value: string): void {
  head.rawHeaders.push(name.shown, value)
}

function readLength(text: string | undefined): number | undefined {
  if (!text) return undefined
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
}

function readUrl(params: ReadonlyMap<string, string>): string {
  const uri = params.get('REQUEST_URI')
  if (uri) return uri
  const path = `${params.get('SCRIPT_NAME') ?? ''}${params.get('PATH_INFO') ?? ''}`
  const query = params.get('QUERY_STRING')
  return `${encodePath(path) || '/'}${query ? `?${query}` : ''}`
}

/** Percent-encodes a decoded path; each latin1 character is one byte. */
function encodePath(path: string): string {
  return path.replace(
    /[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

function readClient(params: ReadonlyMap<string, string>): Client {
  const remoteAddress = params.get('REMOTE_ADDR') || undefined
  return {
    remoteAddress,
    remotePort: Number(params.get('REMOTE_PORT')) || undefined,
    remoteFamily: remoteAddress && (remoteAddress.includes(':') ? 'IPv6' : 'IPv4'),
    localAddress: params.get('SERVER_ADDR') || undefined,
    localPort: Number(params.get('SERVER_PORT')) || undefined,
    encrypted: isOn(params.get('HTTPS')) || params.get('REQUEST_SCHEME') === 'https',
  }
}

function isOn(https: string | undefined): boolean {
  return https !== undefined && /^(on|1|yes|true)$/i.test(https)
}
