import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClientInfo, Env } from '../environment/request-facts.ts'
import type { GatewayLogger } from '../logger.ts'

/** What an adapter hands in of a request. */
export interface GatewayRequest<Source = IncomingMessage> {
  req: IncomingMessage
  res: ServerResponse
  /** The framework's request, for the `env` function. */
  source: Source
  /** The request target as the client sent it. */
  url: string
  /** What the framework has rewritten `url` to, if it has: this is what is run, REQUEST_URI stays `url`. */
  rewrittenUrl?: string | undefined
  /** Path the gateway is mounted at, as it stands in `rewrittenUrl` or `url`; '' for none. */
  mount: string
  /** The client, as the framework's trust in proxies makes it out. */
  client: ClientInfo
  /** What the framework has made of the body; undefined if nothing. */
  parsedBody?: unknown
  /** Run this instead of what the URL names: a path below the root, with its query if it has one. */
  script?: string | undefined
  /** Params for this request alone. */
  env?: Env | undefined
  /** The framework's logger of this request; the option `logger` wins over it. */
  logger?: GatewayLogger | undefined
}
