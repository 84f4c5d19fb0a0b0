// The params of a request: collected from PARAMS records, and the ones that are not CGI meta-variables.
import { decodeNameValues } from '@fastcgi/protocol'

/** Collects the PARAMS stream of a request, up to a maximum size. */
export class Params {
  #chunks: Buffer[] = []
  #length = 0
  #block: Buffer | undefined

  /** Adds the content of a record. Returns false, and discards everything, if the total exceeds `maxSize` bytes. */
  push(chunk: Buffer, maxSize: number): boolean {
    this.#length += chunk.length
    if (this.#length > maxSize) {
      this.#chunks = []
      return false
    }
    this.#chunks.push(chunk)
    return true
  }

  /** Decodes all params in their order, after the end of the stream. */
  pairs(encoding: 'latin1' | 'utf8'): Array<[string, string]> {
    return decodeNameValues(this.#joined(), encoding)
  }

  /** Decodes all params. The last one of several with the same name wins. */
  decode(encoding: 'latin1' | 'utf8'): Map<string, string> {
    return new Map(this.pairs(encoding))
  }

  #joined(): Buffer {
    const [first, ...more] = this.#chunks
    this.#block ??= first === undefined || more.length > 0 ? Buffer.concat(this.#chunks) : first
    this.#chunks = [this.#block]
    return this.#block
  }
}

/** Meta-variables of RFC 3875 §4.1, and params that web servers add without configuration. */
const META_VARIABLES = new Set(
  `AUTH_TYPE CONTENT_LENGTH CONTENT_TYPE GATEWAY_INTERFACE PATH_INFO PATH_TRANSLATED QUERY_STRING REMOTE_ADDR REMOTE_HOST
  REMOTE_IDENT REMOTE_USER REQUEST_METHOD SCRIPT_NAME SERVER_NAME SERVER_PORT SERVER_PROTOCOL SERVER_SOFTWARE
  CONTEXT_DOCUMENT_ROOT CONTEXT_PREFIX DOCUMENT_ROOT DOCUMENT_URI FCGI_APACHE_ROLE FCGI_DATA_LAST_MOD FCGI_DATA_LENGTH
  FCGI_ROLE HTTPS PATH REDIRECT_STATUS REDIRECT_URI REMOTE_PASSWD REMOTE_PORT REQUEST_SCHEME REQUEST_URI SCRIPT_FILENAME
  SERVER_ADDR SERVER_ADMIN SERVER_SIGNATURE`.split(/\s+/),
)

/** The params that the configuration of the web server and its authorizers added. */
export function variablesOf(params: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(params).filter(
      ([name]) => !name.startsWith('HTTP_') && !META_VARIABLES.has(name),
    ),
  )
}
