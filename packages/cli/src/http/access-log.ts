// Logs the requests of a server, with the script that ran each of them.
import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { ScriptMessage } from '@fastcgi/gateway'
import proxyAddr from 'proxy-addr'
import { type Access, combinedAccess, humanAccess, jsonAccess } from '../output/access-line.ts'
import { destination } from '../output/destination.ts'
import { scriptName } from '../output/human-lines.ts'
import { hasColours } from '../output/terminal.ts'
import type { Settings } from '../settings/settings.ts'
import type { TrustFunction } from '../settings/trust-proxy.ts'

/** Wraps a handler so that its requests are logged; returns it as it is if they are not to be. */
export function withAccessLog(
  handler: RequestListener,
  { accessLog, root, trust }: Pick<Settings, 'accessLog' | 'root' | 'trust'>,
): RequestListener {
  if (accessLog === false) return handler
  const write = writer(accessLog)
  const scripts = new WeakMap<IncomingMessage, string>()
  subscribe('fastcgi:script', (message) => {
    const { req, script } = message as ScriptMessage
    if (script !== undefined) scripts.set(req, scriptName(script, root))
  })
  return (req, res) => {
    const start = performance.now()
    const time = new Date()
    const socket = req.httpVersionMajor === 1 ? req.socket : undefined
    const before = socket?.bytesWritten ?? 0
    // Now: it is not known any more once the connection has been closed.
    const address = clientAddress(req, trust)
    res.once('close', () => {
      const bytes = socket && socket.bytesWritten - before
      write(accessOf(req, res, { time, bytes, address, script: scripts.get(req), start }))
    })
    handler(req, res)
  }
}

/** Lines for people go where the log goes; formats for programs go to stdout. */
function writer(format: Exclude<Settings['accessLog'], false>): (access: Access) => void {
  const isHuman = format === 'line' || format === true
  const output = destination(isHuman ? 2 : 1)
  const colours = hasColours(process.stderr)
  const lineOf = (access: Access): string => {
    if (isHuman) return humanAccess(access, colours)
    return format === 'json' ? jsonAccess(access) : combinedAccess(access)
  }
  return (access) => void output.write(`${lineOf(access)}\n`)
}

interface Measured {
  readonly time: Date
  readonly start: number
  readonly bytes: number | undefined
  readonly address: string
  readonly script: string | undefined
}

function accessOf(
  req: IncomingMessage,
  res: ServerResponse,
  { time, start, bytes, address, script }: Measured,
): Access {
  const { referer = '', 'user-agent': userAgent = '' } = req.headers
  return {
    time,
    address,
    method: req.method ?? '',
    target: req.url ?? '',
    httpVersion: req.httpVersion,
    status: res.headersSent ? res.statusCode : 499,
    whole: res.writableFinished,
    bytes,
    milliseconds: Math.round((performance.now() - start) * 1000) / 1000,
    script,
    referer,
    userAgent,
  }
}

/** The address of the client; '' if the connection is closed already. */
function clientAddress(req: IncomingMessage, trust: TrustFunction | undefined): string {
  const own = req.socket.remoteAddress ?? ''
  return own === '' || trust === undefined ? own : proxyAddr(req, trust)
}
