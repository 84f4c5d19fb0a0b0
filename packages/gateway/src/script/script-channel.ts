// Tells subscribers of node:diagnostics_channel which script runs a request.

import { channel } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import { publish } from '@fastcgi/client/internal'
import type { RoutedRequest } from './routed-request.ts'

/**
 * The message of the channel `fastcgi:script`, published when a request is given to an application, also after an internal
 * redirect. A request that the cache answers is not.
 */
export interface ScriptMessage {
  /** The request of the client. */
  readonly req: IncomingMessage
  /** Method that the script is run with; GET or HEAD after an internal redirect. */
  readonly method: string
  /** SCRIPT_FILENAME; undefined if none is sent. */
  readonly script: string | undefined
  /** Name of the route: mount point and match, for instance `/shop` or `/shop/*.php`. */
  readonly route: string | undefined
}

const scripts = channel('fastcgi:script')

/** Publishes the script of a request. */
export function publishScript(
  { request: { req }, method, logger: { route } }: RoutedRequest<unknown>,
  script: string | undefined,
): void {
  if (scripts.hasSubscribers)
    publish(scripts, { req, method, script, route } satisfies ScriptMessage)
}
