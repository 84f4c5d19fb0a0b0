import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClientInfo, Env } from '../environment/environment-input.ts'
import type { GatewayLogger } from '../logger.ts'

/** A guard of the framework's routes. */
export interface PlacedGuard {
  /**
   * What `createAuthorizer()` has returned; undefined where the framework has handlers whose guards it cannot name: then only
   * the normalized path may get past them.
   */
  readonly authorizer: object | undefined
  /** Decoded path of the place that it guards, latin1; '' for the root. */
  readonly mount: string
}

/** A request as an adapter passes it to `Gateway.handle`. */
export interface GatewayRequest<Source = IncomingMessage> {
  req: IncomingMessage
  res: ServerResponse
  /** The framework's request, for the `env` function. */
  source: Source
  /** The request target as the client sent it. */
  url: string
  /** The request target as the framework has rewritten it, if it has. It selects the script; REQUEST_URI stays `url`. */
  rewrittenUrl?: string | undefined
  /** Path that the gateway is mounted at, encoded as in `rewrittenUrl` or `url`; '' for none. */
  mount: string
  /** The client, as determined by the framework's trust in proxies. */
  client: ClientInfo
  /** The body as a body parser of the framework has parsed it; undefined if none has. */
  parsedBody?: unknown
  /**
   * Path of the script to run in place of the one in the URL, below `root`; it may have a query, which replaces the
   * URL's.
   */
  script?: string | undefined
  /**
   * The guards that the framework has before some of its paths, by the normalized path (latin1). A guard that stands at the
   * path of a request and has not been asked, because the framework compares paths as they are spelled, is asked by the
   * gateway.
   */
  placedGuards?: ((path: string) => readonly PlacedGuard[]) | undefined
  /** Params of this request alone; they win over the option `env`. */
  env?: Env | undefined
  /** Name of the request in the framework's log, for log records. @default none */
  id?: string | undefined
  /** The framework's logger for this request; the option `logger` wins over it. */
  logger?: GatewayLogger | undefined
}
