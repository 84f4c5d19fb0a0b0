import type { Socket } from 'node:net'
import { normalAddress, type Settings } from '../options.ts'

/** Whether whoever connected may, as FCGI_WEB_SERVER_ADDRS has it (FastCGI 1.0 §3.2). */
export function mayConnect(socket: Socket, settings: Settings): boolean {
  const allowed = settings.webServerAddresses
  if (allowed === undefined) return true
  return socket.remoteAddress !== undefined && allowed.has(normalAddress(socket.remoteAddress))
}
