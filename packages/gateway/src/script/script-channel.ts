// Tells subscribers of node:diagnostics_channel which script runs a request.

import { channel } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import { publish } from '@fastcgi/client/internal'

/** A message on the channel `fastcgi:script`, published when a request is given to an application. */
export interface ScriptMessage {
  readonly req: IncomingMessage
  /** SCRIPT_FILENAME; undefined if none is sent. */
  readonly scriptFilename: string | undefined
}

const scripts = channel('fastcgi:script')

/** Publishes the script of a request. */
export function publishScript(req: IncomingMessage, scriptFilename: string | undefined): void {
  if (scripts.hasSubscribers) publish(scripts, { req, scriptFilename } satisfies ScriptMessage)
}
