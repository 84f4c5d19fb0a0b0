// The site as a request handler, made by one of the frameworks.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Dispatcher } from '@fastcgi/client'
import { type GatewayCache, type GatewayOptions, writeResponse } from '@fastcgi/gateway'
import { statusErrorPage } from '@fastcgi/gateway/internal'
import type { Logger } from 'pino'
import type { Settings } from '../settings/settings.ts'

/** A site that answers requests. */
export interface Site {
  readonly handler: RequestListener
  /** What it sends requests to applications with, by name. */
  dispatchers(): Readonly<Record<string, Dispatcher>>
  /** Its caches, by the name of their dispatcher. */
  caches(): Readonly<Record<string, GatewayCache>>
  /** Finishes running requests and closes connections to applications. */
  close(): Promise<void>
}

/** Makes a site. */
export type CreateSite = (settings: Settings, logger: Logger) => Promise<Site>

/** The options for the gateway of any adapter: what their functions are called with is its request. */
export function gatewayOptions<Source>(settings: Settings, logger: Logger): GatewayOptions<Source> {
  const options: GatewayOptions<never> = { logger, ...settings.gateway }
  return options as GatewayOptions<Source>
}

/** Answers a request that a framework has refused. */
export function answerError(
  { dev }: Settings,
  req: IncomingMessage,
  res: ServerResponse,
  status = 500,
): void {
  if (res.headersSent) res.destroy()
  else writeResponse(res, statusErrorPage(req, status, { details: dev }))
}
