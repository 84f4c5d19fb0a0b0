// What FastCGI adds to a request: `req.fastcgi` and its types.
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { type Params, variablesOf } from './params.ts'

declare global {
  namespace Express {
    /** `@fastcgi/express` has it, too. */
    interface FastCGI extends FastCGIContext {}
    interface Request {
      /** In an Express app that `createServer()` runs: role, params, and the error log of the web server. */
      readonly fastcgi: FastCGI
    }
  }
}

/** Names of the roles (FastCGI 1.0 §6). */
export type RoleName = 'responder' | 'authorizer' | 'filter'

/** The file that a filter processes (FastCGI 1.0 §6.4). It must be read after the body of the request. */
export interface FilterData {
  /** Content of FCGI_DATA. It is destroyed with an error if the web server sends less than `length`. */
  readonly stream: Readable
  /** FCGI_DATA_LENGTH in bytes; undefined if the param is missing or invalid. */
  readonly length: number | undefined
  /** FCGI_DATA_LAST_MOD; undefined if the param is missing or invalid. */
  readonly lastModified: Date | undefined
}

/** `req.fastcgi`: the properties of a request that HTTP does not have. */
export interface FastCGIContext {
  /** Role that the web server asked for. */
  readonly role: RoleName
  /** All params as the web server sent them, decoded as UTF-8; the last one of several with the same name. */
  readonly params: Readonly<Record<string, string>>
  /** All params in their order: name, value, name, value …; decoded as latin1, so that each character is one byte. */
  readonly rawParams: readonly string[]
  /**
   * The params that are neither CGI meta-variables nor fields of the request: those that the configuration of the web
   * server (Apache `SetEnv`, nginx `fastcgi_param`) and its authorizers (`Variable-…`) added.
   */
  readonly variables: Readonly<Record<string, string>>
  /** Id of the request on its connection, 1 to 65535. */
  readonly requestId: number
  /** Whether the web server keeps the connection for further requests (KEEP_CONN). */
  readonly keepConnection: boolean
  /** The file to filter; only for filters. */
  readonly data: FilterData | undefined
  /** Exit status in END_REQUEST, corresponding to that of a CGI program. @default 0 */
  appStatus: number
  /** Writes to STDERR, which web servers write to their error log. Dropped while more than 1 MiB of output is unsent. */
  stderr(text: string): void
}

/** A request as responders and authorizers get it: an IncomingMessage with the context of FastCGI. */
export interface FastCGIRequest extends IncomingMessage {
  readonly fastcgi: FastCGIContext
  /** Aborted when the response is no longer wanted (ABORT_REQUEST, connection lost) or has failed. */
  readonly signal: AbortSignal
}

/** A request as filters get it: `fastcgi.data` is set. */
export interface FilterRequest extends FastCGIRequest {
  readonly fastcgi: FastCGIContext & { readonly data: FilterData }
}

/** The context once more, since guards of a framework set a `req.fastcgi` of their own. */
export const CONTEXT: unique symbol = Symbol('fastcgi context')

/**
 * The context of a request whose type lacks `req.fastcgi`, or has that of a guard, as in Express. Undefined if `req` is not
 * from this server.
 * @example
 * ```js
 * import { createServer, fastcgiContext } from '@fastcgi/application'
 *
 * const server = createServer((req, res) => res.end(fastcgiContext(req)?.params.SCRIPT_NAME))
 * server.listen({ host: '127.0.0.1', port: 0 }, () => server.close())
 * ```
 */
export function fastcgiContext(req: IncomingMessage): FastCGIContext | undefined {
  return (req as { readonly [CONTEXT]?: Context })[CONTEXT]
}

/** Constructor parameters of a {@link Context}. */
export interface ContextSource {
  role: RoleName
  params: Params
  requestId: number
  keepConnection: boolean
  data: FilterData | undefined
  writeError(text: string): void
}

/** Implementation of {@link FastCGIContext}; params are decoded lazily. */
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

  get rawParams(): readonly string[] {
    return this.#source.params.pairs('latin1').flat()
  }

  get variables(): Readonly<Record<string, string>> {
    this.#variables ??= variablesOf(this.params)
    return this.#variables
  }

  stderr(text: string): void {
    this.#source.writeError(text)
  }
}

/** Creates the data of a filter. The caller pushes the content into its stream; `onRead` is its `_read`. */
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
