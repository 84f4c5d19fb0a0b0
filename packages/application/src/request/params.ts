import { decodeNameValues } from '@fastcgi/protocol'

/** Collects the PARAMS of a request, up to the limits. */
export class Params {
  #chunks: Buffer[] = []
  #length = 0
  #block: Buffer | undefined

  /** Takes a piece; false when there are over `most` bytes, of which none are kept. */
  push(chunk: Buffer, most: number): boolean {
    this.#length += chunk.length
    if (this.#length > most) {
      this.#chunks = []
      return false
    }
    this.#chunks.push(chunk)
    return true
  }

  /** All of them, when there are no more. A name that comes twice has its last value. */
  decode(encoding: 'latin1' | 'utf8'): Map<string, string> {
    return new Map(decodeNameValues(this.#joined(), encoding))
  }

  #joined(): Buffer {
    const [first, ...more] = this.#chunks
    this.#block ??= first === undefined || more.length > 0 ? Buffer.concat(this.#chunks) : first
    this.#chunks = [this.#block]
    return this.#block
  }
}

/** Meta-variables of RFC 3875, and those that web servers add of themselves. */
const META_VARIABLES = new Set(
  `AUTH_TYPE CONTENT_LENGTH CONTENT_TYPE GATEWAY_INTERFACE PATH_INFO PATH_TRANSLATED QUERY_STRING REMOTE_ADDR REMOTE_HOST
  REMOTE_IDENT REMOTE_USER REQUEST_METHOD SCRIPT_NAME SERVER_NAME SERVER_PORT SERVER_PROTOCOL SERVER_SOFTWARE
  CONTEXT_DOCUMENT_ROOT CONTEXT_PREFIX DOCUMENT_ROOT DOCUMENT_URI FCGI_APACHE_ROLE FCGI_DATA_LAST_MOD FCGI_DATA_LENGTH
  FCGI_ROLE HTTPS PATH REDIRECT_STATUS REDIRECT_URI REMOTE_PASSWD REMOTE_PORT REQUEST_SCHEME REQUEST_URI SCRIPT_FILENAME
  SERVER_ADDR SERVER_ADMIN SERVER_SIGNATURE`.split(/\s+/),
)

/** What the configuration of the web server and its authorizers added to the params. */
export function variablesOf(params: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(params).filter(
      ([name]) => !name.startsWith('HTTP_') && !META_VARIABLES.has(name),
    ),
  )
}
