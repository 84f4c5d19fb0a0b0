// What the middleware reads from a request. Connect and node:http have none of it, so all is optional here.
import type { IncomingMessage } from 'node:http'
import type { ClientInfo } from '@fastcgi/gateway'
import { socketClient } from '@fastcgi/gateway/internal'

/** A request with the properties that Express adds. */
export interface HandledRequest extends IncomingMessage {
  /** URL as the client sent it. */
  originalUrl?: string
  /** Path at which the middleware is mounted. */
  baseUrl?: string
  /** The app that handles the request. */
  app?: HandlingApp
  /** Body that a body parser has read. */
  body?: unknown
  /** Address of the client, according to `trust proxy`. */
  ip?: string | undefined
  protocol?: string
  host?: string
}

/** The parts of an Express app that are used here. */
interface HandlingApp {
  /** Only in Express 4. */
  readonly lazyrouter?: unknown
  get(name: 'trust proxy fn'): (address: string | undefined, hop: number) => boolean
}

/** Address, scheme and host of the client, according to `trust proxy` of Express. */
export function clientOf(req: HandledRequest): ClientInfo {
  const { address, scheme, host } = socketClient(req)
  return {
    address: req.ip ?? address,
    scheme: req.protocol ?? scheme,
    host: hostOf(req) ?? host,
  }
}

/** `req.host` of Express 5. In Express 4 it lacks the port, and warns that it is deprecated. */
function hostOf(req: HandledRequest): string | undefined {
  const { app } = req
  if (app === undefined || !isExpress4(app)) return req.host
  const { 'x-forwarded-host': forwarded, host } = req.headers
  if (!forwarded || !app.get('trust proxy fn')(req.socket.remoteAddress, 0)) return host
  // Node joins repeated fields of this name.
  return String(forwarded).split(',', 1)[0]?.trim()
}

/** Whether an app is one of Express 4, whose deprecated properties warn or throw. */
export function isExpress4(app: object): boolean {
  return 'lazyrouter' in app
}
