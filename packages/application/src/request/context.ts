import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { type Params, variablesOf } from './params.ts'

/** Names of the roles (FastCGI 1.0 §6). */
export type RoleName = 'responder' | 'authorizer' | 'filter'

/** The file that a filter is to filter (FastCGI 1.0 §6.4). To be read after the request's body. */
export interface FilterData {
  /** FCGI_DATA. Fails where the web server sends less than `length`. */
  readonly stream: Readable
  /** FCGI_DATA_LENGTH in bytes; undefined where the web server does not say. */
  readonly length: number | undefined
  /** FCGI_DATA_LAST_MOD; undefined where the web server does not say. */
  readonly lastModified: Date | undefined
}

/** `req.fastcgi`: what FastCGI knows of a request and HTTP does not. */
export interface FastCGIContext {
  readonly role: RoleName
  /** All params as the web server sent them, text in UTF-8. */
  readonly params: Readonly<Record<string, string>>
  /**
   * The params that are neither meta-variables of CGI nor fields of the request: what the configuration of the web
   * server (`SetEnv`, `fastcgi_param`) and its authorizers (`Variable-…`) added.
   */
  readonly variables: Readonly<Record<string, string>>
  /** Id of the request on its connection, 1 to 65535. */
  readonly requestId: number
  /** Whether the web server keeps the connection for further requests (KEEP_CONN). */
  readonly keepConnection: boolean
  /** Only for filters. */
  readonly data: FilterData | undefined
  /** Exit status that the web server is told, where a CGI program would call exit(). @default 0 */
  appStatus: number
  /** Writes to STDERR, which web servers put into their error log. Dropped while output waits for the web server. */
  stderr(text: string): void
}

/** A request as listeners get it. */
export interface FastCGIRequest extends IncomingMessage {
  readonly fastcgi: FastCGIContext
  /** Fires when nobody waits for the response any more: ABORT_REQUEST, or the connection is lost. */
  readonly signal: AbortSignal
}

/** A request as filters get it. */
export interface FilterRequest extends FastCGIRequest {
  readonly fastcgi: FastCGIContext & { readonly data: FilterData }
}

/** `req.fastcgi` where the type of `req` does not tell of it, as in Express. Undefined for requests from elsewhere. */
export function fastcgiContext(req: IncomingMessage): FastCGIContext | undefined {
  return 'fastcgi' in req && req.fastcgi instanceof Context ? req.fastcgi : undefined
}

/** What a {@link Context} is made of. */
export interface ContextSource {
  role: RoleName
  params: Params
  requestId: number
  keepConnection: boolean
  data: FilterData | undefined
  writeError(text: string): void
}

/** The one implementation; text is decoded when it is asked for. */
export class Context implements FastCGIContext {
  readonly role: RoleName
  readonly requestId: number
  readonly keepConnection: boolean
  readonly data: FilterData | undefined
  appStatus = 0
  readonly #source: ContextSource
  #params: Readonly<Record<string, string>> | undefined
  #variables: Readonly<Record<string, string>> | undefined

  constructor(source: ContextSource) {
    this.role = source.role
    this.requestId = source.requestId
    this.keepConnection = source.keepConnection
    this.data = source.data
    this.#source = source
  }

  get params(): Readonly<Record<string, string>> {
    this.#params ??= Object.fromEntries(this.#source.params.decode('utf8'))
    return this.#params
  }

  get variables(): Readonly<Record<string, string>> {
    this.#variables ??= variablesOf(this.params)
    return this.#variables
  }

  stderr(text: string): void {
    this.#source.writeError(text)
  }
}

/** The data of a filter, with what feeds it left to the caller. */
export function filterData(params: ReadonlyMap<string, string>, onRead: () => void): FilterData {
  const length = params.get('FCGI_DATA_LENGTH')
  const lastModified = params.get('FCGI_DATA_LAST_MOD')
  return {
    stream: new Readable({ read: onRead }),
    length: length && /^\d{1,15}$/.test(length) ? Number(length) : undefined,
    lastModified:
      lastModified && /^\d{1,12}$/.test(lastModified)
        ? new Date(Number(lastModified) * 1000)
        : undefined,
  }
}
