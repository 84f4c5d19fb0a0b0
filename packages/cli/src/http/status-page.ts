// The status page of all workers, for clients of this machine.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import {
  mergeSnapshots,
  type StatusSnapshot,
  showSnapshot,
  withLoads,
} from '@fastcgi/gateway/internal'

/** Collects the snapshots of all workers. */
export type SnapshotSource = () => Promise<readonly [StatusSnapshot, ...StatusSnapshot[]]>

const LOCAL = /^(?:127\.|::1$|::ffff:127\.)/

/** Wraps a handler so that a path shows the status; returns it as it is without a path. */
export function withStatusPage(
  handler: RequestListener,
  path: string | undefined,
  snapshots: SnapshotSource,
): RequestListener {
  if (path === undefined) return handler
  return (req, res) => {
    if (req.url?.replace(/\?.*/s, '') !== path) handler(req, res)
    else if (!isLocal(req)) refuse(res, 403, 'The status is for clients of this machine.')
    else
      snapshots().then(
        (all) => show(req, res, all),
        () => refuse(res, 503, 'The other workers do not tell their status.'),
      )
  }
}

/** Whether the client is on this machine itself, and not only a proxy that stands before it. */
function isLocal({ socket, headers }: IncomingMessage): boolean {
  const isForwarded = ['forwarded', 'x-forwarded-for', 'via'].some((name) => name in headers)
  return !isForwarded && LOCAL.test(socket.remoteAddress ?? '')
}

function show(
  req: IncomingMessage,
  res: ServerResponse,
  all: readonly [StatusSnapshot, ...StatusSnapshot[]],
): void {
  const { method = 'GET', url = '/', headers } = req
  const { pid } = all[0]
  const workers = all.length === 1 ? `process ${pid}` : `${all.length} workers`
  const title = `FastCGI status, ${workers}`
  const response = showSnapshot(withLoads(mergeSnapshots(all)), { method, url, headers }, title)
  res.writeHead(response.status, response.headers).end(response.body)
}

function refuse(res: ServerResponse, status: number, text: string): void {
  res.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
}
