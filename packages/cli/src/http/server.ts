// The HTTP server of one process.
import { createServer, type RequestListener } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import type { Settings } from '../settings/settings.ts'
import { withAccessLog } from './access-log.ts'
import { loadAdapter } from './adapters.ts'
import { type AnyServer, Connections } from './connections.ts'
import type { Site } from './site.ts'
import { type SnapshotSource, withStatusPage } from './status-page.ts'
import { certificateOf, reloadCertificate } from './tls.ts'

/** Where a process listens: an address, or a socket that it has inherited. */
export type ListenTarget =
  | { readonly host: string; readonly port: number }
  | { readonly fd: number }

/** A listening server. */
export interface RunningServer {
  readonly site: Site
  /** Base URL without a trailing slash. */
  readonly url: string
  /**
   * Accepts no more connections; resolves when the running requests have been answered, or after the time `grace`.
   * @param closesIdle see {@link Connections.end}.
   */
  end(closesIdle: boolean): Promise<void>
}

/** Limits of node:http. There is none for the duration of a request: `timeouts.body` and `timeouts.send` govern instead. */
const LIMITS = { requestTimeout: 0, headersTimeout: 60_000 }

/** Starts the server. @throws if it cannot listen, and OptionError for files that cannot be read. */
export async function startServer(
  settings: Settings,
  target: ListenTarget,
  logger: Logger,
  snapshots: SnapshotSource,
): Promise<RunningServer> {
  const createSite = await loadAdapter(settings.adapter)
  const site = await createSite(settings, logger)
  const connections = new Connections()
  const page = withStatusPage(site.handler, settings.statusPage, snapshots)
  const handler = connections.follow(withAccessLog(page, settings))
  const server = createAnyServer(handler, settings)
  connections.watch(server)
  const stopWatching = settings.https && reloadCertificate(server, settings.https, logger)
  const end = async (closesIdle: boolean): Promise<void> => {
    stopWatching?.()
    const { grace } = settings
    const timer = grace === 0 ? undefined : setTimeout(() => connections.destroy(server), grace)
    await connections.end(server, closesIdle)
    clearTimeout(timer)
    await site.close()
  }
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(target, resolve)
    })
  } catch (error) {
    stopWatching?.()
    await site.close()
    throw error
  }
  return { site, url: urlOf(server, settings), end }
}

function createAnyServer(handler: RequestListener, settings: Settings): AnyServer {
  const { https, http2, adapter } = settings
  if (https === undefined) return createServer(LIMITS, handler)
  const tls = { ...LIMITS, ...certificateOf(https) }
  // Express knows nothing of HTTP/2.
  if (!http2 || adapter === 'express') return createHttpsServer(tls, handler)
  const compatible = handler as unknown as Parameters<typeof createSecureServer>[1]
  return createSecureServer({ ...tls, allowHTTP1: true }, compatible)
}

function urlOf(server: AnyServer, { https }: Settings): string {
  const where = server.address() as AddressInfo | string
  // systemd may pass a unix socket.
  if (typeof where === 'string') return `unix:${where}`
  const { address, family, port } = where
  const host = family === 'IPv6' ? `[${address}]` : address
  return `${https === undefined ? 'http' : 'https'}://${host}:${port}`
}
