// Basic authentication (RFC 7617): reads the credentials of a request and makes the challenge.

import type { IncomingMessage } from 'node:http'

/** User name and password (RFC 7617); latin1, one character per byte. */
export interface Credentials {
  user: string
  password: string
}

const BASIC = /^basic +([a-z0-9+/_-]+={0,2}) *$/i
const COLON = 0x3a

/** Credentials that have been read, for a guard that is asked again after the field has been removed. */
const known = new WeakMap<IncomingMessage, Credentials>()

/** The Basic credentials of a request; undefined if there are none or they are malformed. */
export function basicCredentials(req: IncomingMessage): Credentials | undefined {
  const { authorization } = req.headers
  if (authorization === undefined) return known.get(req)
  const credentials = parse(authorization)
  if (credentials !== undefined) known.set(req, credentials)
  return credentials
}

function parse(authorization: string): Credentials | undefined {
  const match = BASIC.exec(authorization)
  if (match === null) return undefined
  const bytes = Buffer.from(match[1] ?? '', 'base64')
  const colon = bytes.indexOf(COLON)
  // RFC 7617 §2 forbids control characters. For an application in C, a NUL would end the name.
  if (colon === -1 || bytes.some((byte) => byte < 0x20 || byte === 0x7f)) return undefined
  const user = bytes.toString('latin1', 0, colon)
  return { user, password: bytes.toString('latin1', colon + 1) }
}

/** The value of WWW-Authenticate for a realm (RFC 7617 §2). */
export function challenge(realm: string): string {
  return `Basic realm="${realm.replace(/["\\]/g, '\\$&')}", charset="UTF-8"`
}
