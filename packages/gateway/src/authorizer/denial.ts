// Makes the responses of denied requests.

import { withoutFields } from '../response/field-list.ts'
import type { GatewayResponse } from '../response/gateway-response.ts'
import { responseFields } from '../response/response-fields.ts'
import { challenge } from './credentials.ts'
import type { Denial } from './exchange.ts'
import type { PhaseRules } from './phases.ts'

/** How the denials of one guard are answered. */
export interface DenialRules {
  phase: PhaseRules
  authoritative: boolean
  /**
   * False for the behaviour of mod_fastcgi without `-compat`: the status of the phase, the application's fields, no
   * body.
   */
  compat: boolean
  realm: string
}

/** How a denial of the application is passed on. */
export function denialOf(rules: DenialRules): Denial {
  const { phase, authoritative, compat, realm } = rules
  if (!authoritative) return { kind: 'none' }
  if (!compat) return { kind: 'head', make: (headers) => legacyDenial(headers, rules) }
  // RFC 9110 §11.6.1 requires a challenge with 401. Guards without credentials send the challenge of their own scheme.
  const amend = (status: number, headers: string[]): string[] =>
    status === 401 && phase.credentials ? withChallenge(headers, realm) : headers
  return { kind: 'whole', amend }
}

/** The response to a request without credentials, about which the application is not asked. */
export function challengeResponse(realm: string): GatewayResponse {
  const headers = withChallenge(['Content-Length', '0'], realm)
  return { status: 401, reason: '', headers, body: null }
}

function legacyDenial(given: string[], { phase, realm }: DenialRules): GatewayResponse {
  const status = phase.legacyStatus
  const kept = withoutFields(responseFields(given, false).headers, BODY_FIELDS)
  const headers = [...kept, 'Content-Length', '0']
  return {
    status,
    reason: '',
    headers: status === 401 ? withChallenge(headers, realm) : headers,
    body: null,
  }
}

const BODY_FIELDS: ReadonlySet<string> = new Set([
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
