import type { IncomingMessage } from 'node:http'
import { unreadClose } from '../request/client-disconnect.ts'
import type { GatewayResponse } from '../response/gateway-response.ts'
import { responseFields, withoutFields } from '../response/response-fields.ts'
import { challenge } from './credentials.ts'
import type { Answer, Denial } from './exchange.ts'
import type { PhaseRules } from './phases.ts'

/** How one guard says no. */
export interface DenialRules {
  phase: PhaseRules
  authoritative: boolean
  /** False for mod_fastcgi's way: the status of the phase, the application's fields, no body. */
  compat: boolean
  realm: string
}

/** What becomes of a no of the application. */
export function denialOf(req: IncomingMessage, rules: DenialRules): Denial {
  const { phase, authoritative, compat, realm } = rules
  if (!authoritative) return { kind: 'none' }
  if (!compat) return { kind: 'head', make: (headers) => legacyDenial(req, headers, rules) }
  // RFC 9110 §11.6.1: no 401 without a challenge. Guards of other phases know their own scheme.
  const amend = (status: number, headers: string[]): string[] =>
    status === 401 && phase.credentials ? withChallenge(headers, realm) : headers
  return { kind: 'whole', amend }
}

/** For a request without credentials, about which the application is not asked. */
export function challengeResponse(req: IncomingMessage, realm: string): GatewayResponse {
  const headers = withChallenge(['Content-Length', '0', ...unreadClose(req)], realm)
  return { status: 401, reason: '', headers, body: null }
}

/** An answer to be remembered, which says nothing of the connection it first went to. */
export function withoutConnection(answer: Answer): Answer {
  if (answer.allowed || answer.response === undefined) return answer
  const headers = withoutFields(answer.response.headers, CONNECTION)
  return { allowed: false, response: { ...answer.response, headers } }
}

/** A remembered answer for another request. */
export function withConnection(answer: Answer, req: IncomingMessage): Answer {
  if (answer.allowed || answer.response === undefined) return answer
  const headers = [...answer.response.headers, ...unreadClose(req)]
  return { allowed: false, response: { ...answer.response, headers } }
}

function legacyDenial(
  req: IncomingMessage,
  given: string[],
  { phase, realm }: DenialRules,
): GatewayResponse {
  const status = phase.legacyStatus
  const kept = withoutFields(responseFields(given).headers, OF_THE_BODY)
  const headers = [...kept, 'Content-Length', '0', ...unreadClose(req)]
  return {
    status,
    reason: '',
    headers: status === 401 ? withChallenge(headers, realm) : headers,
    body: null,
  }
}

const CONNECTION: ReadonlySet<string> = new Set(['connection'])
const OF_THE_BODY: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'etag',
  'last-modified',
])

function withChallenge(headers: string[], realm: string): string[] {
  const has = headers.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'www-authenticate')
  return has ? headers : [...headers, 'WWW-Authenticate', challenge(realm)]
}
