/** Who asks, and where: what `req.socket` tells of it. */
export interface Client {
  remoteAddress: string | undefined
  remotePort: number | undefined
  remoteFamily: string | undefined
  localAddress: string | undefined
  localPort: number | undefined
  encrypted: boolean
}

/** The request line and the fields of an HTTP request, out of the params of a FastCGI request. */
export interface RequestHead {
  method: string
  url: string
  httpVersionMinor: 0 | 1
  /** Name, value, name, value…; the case of the names is lost on the way, so they are Written-Like-This. */
  rawHeaders: string[]
  /** CONTENT_LENGTH; undefined where it is missing or empty, NaN where it is no number. */
  contentLength: number | undefined
  client: Client
}

/** Methods that are sent with `Content-Length: 0` when there is no body (RFC 9110 §8.6). */
const EXPECT_LENGTH = new Set(['POST', 'PUT', 'PATCH'])

/** @param params text as latin1, as node:http has it. */
export function readRequestHead(params: ReadonlyMap<string, string>): RequestHead {
  const method = params.get('REQUEST_METHOD') ?? ''
  const contentLength = readLength(params.get('CONTENT_LENGTH'))
  const head: RequestHead = {
    method,
    url: readUrl(params),
    // HTTP/2 and later as well: what speaks HTTP/2 is the web server, res is a ServerResponse of HTTP/1.
    httpVersionMinor: params.get('SERVER_PROTOCOL') === 'HTTP/1.0' ? 0 : 1,
    rawHeaders: [],
    contentLength,
    client: readClient(params),
  }
  const contentType = params.get('CONTENT_TYPE')
  if (contentType) addField(head, CONTENT_TYPE, contentType)
  // lighttpd says CONTENT_LENGTH=0 for every request without a body.
  if (contentLength !== undefined && (contentLength > 0 || EXPECT_LENGTH.has(method)))
    addField(head, CONTENT_LENGTH, String(contentLength))
  for (const [name, value] of params) {
    if (!name.startsWith('HTTP_')) continue
    const field = fieldName(name)
    if (field === CONTENT_TYPE || field === CONTENT_LENGTH) continue
    // The web server has taken the coding away when it gives a length.
    if (field.lower === 'transfer-encoding' && contentLength !== undefined) continue
    addField(head, field, value)
  }
  return head
}

interface FieldName {
  readonly lower: string
  readonly shown: string
}

const CONTENT_TYPE: FieldName = { lower: 'content-type', shown: 'Content-Type' }
const CONTENT_LENGTH: FieldName = { lower: 'content-length', shown: 'Content-Length' }

/** The names that came before, because there are few of them; bounded, because a client could invent others. */
const fieldNames = new Map<string, FieldName>([
  ['HTTP_CONTENT_TYPE', CONTENT_TYPE],
  ['HTTP_CONTENT_LENGTH', CONTENT_LENGTH],
])
const MOST_NAMES = 1000

function fieldName(param: string): FieldName {
  const known = fieldNames.get(param)
  if (known !== undefined) return known
  const lower = param.slice('HTTP_'.length).toLowerCase().replaceAll('_', '-')
  const field = { lower, shown: lower.replace(/(?<![^-])[a-z]/g, (letter) => letter.toUpperCase()) }
  if (fieldNames.size < MOST_NAMES) fieldNames.set(param, field)
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

/** A path that CGI has decoded, encoded again; byte by byte, for its text is latin1. */
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
