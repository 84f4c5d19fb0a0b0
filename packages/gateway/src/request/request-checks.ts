// Checks of a request before anything is run for it.

import type { IncomingMessage } from 'node:http'
import { BadRequestError } from '../errors.ts'

/**
 * Refuses CONNECT, and a request whose Host is ambiguous: more than one field, none in HTTP/1.1 (RFC 9112 §3.2), or in HTTP/2
 * one that differs from `:authority` (RFC 9113 §8.3.1). node:http keeps the first of several fields.
 * @throws BadRequestError
 */
export function checkRequest(req: IncomingMessage): void {
  if (req.method === 'CONNECT')
    throw new BadRequestError('CONNECT asks for a tunnel, which the gateway does not provide')
  const hosts = countHosts(req.rawHeaders)
  if (hosts > 1) throw new BadRequestError('the request has more than one Host field')
  if (hosts === 0 && req.httpVersion === '1.1' && req.headers.host === undefined)
    throw new BadRequestError('the request has no Host field')
  const authority = req.headers[':authority']
  if (authority !== undefined && hosts === 1 && req.headers.host !== authority)
    throw new BadRequestError('Host and :authority of the request differ')
}

/** The number of Host fields. @param raw name, value, name, value… */
function countHosts(raw: readonly string[]): number {
  let count = 0
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]
    if (name?.length === 4 && (name === 'Host' || name.toLowerCase() === 'host')) count++
  }
  return count
}
