import type { Socket } from 'node:net'
import { normalAddress, type Settings } from '../options.ts'

/** Whether a peer is allowed to connect: option `webServerAddresses`, or FCGI_WEB_SERVER_ADDRS (FastCGI 1.0 §3.2). */
export function isAllowedPeer(socket: Socket, settings: Settings): boolean {
  const allowed = settings.webServerAddresses
  if (allowed === undefined) return true
  return socket.remoteAddress !== undefined && allowed.has(normalAddress(socket.remoteAddress))
}
