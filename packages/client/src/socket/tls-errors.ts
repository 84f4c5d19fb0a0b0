// What failed in a TLS handshake, and which option governs it.
import type { Address } from '../address.ts'
import { systemCode } from '../errors.ts'

const UNKNOWN_AUTHORITY = 'its certificate is of an authority that is not trusted (tls.ca)'
const CLOSED =
  'it closed the connection during the TLS handshake; does it speak TLS, is the address to be fcgi://?'
const NO_VERSION = 'it does not speak TLS 1.2 or 1.3'
const REFUSED = 'it does not accept the client certificate (tls.cert)'

/** By the code of OpenSSL and Node. */
const REASONS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  CERT_REVOKED: 'its certificate has been revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  ECONNRESET: CLOSED,
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS; is the address to be fcgi://?',
  ERR_SSL_UNSUPPORTED_PROTOCOL: NO_VERSION,
}

/** Alerts with which a server refuses the certificate of a client, or the lack of one. */
const REFUSALS: Readonly<Record<string, string>> = {
  CERTIFICATE_REQUIRED: 'it demands a client certificate (tls.cert, tls.key)',
  UNKNOWN_CA: REFUSED,
  ACCESS_DENIED: REFUSED,
  BAD_CERTIFICATE: REFUSED,
  UNSUPPORTED_CERTIFICATE: REFUSED,
  CERTIFICATE_EXPIRED: REFUSED,
  CERTIFICATE_REVOKED: REFUSED,
  CERTIFICATE_UNKNOWN: REFUSED,
}

/** By the name of the alert (RFC 8446 §6). */
const ALERTS: Readonly<Record<string, string>> = {
  ...REFUSALS,
  PROTOCOL_VERSION: NO_VERSION,
  HANDSHAKE_FAILURE:
    'it refused the TLS handshake; does it demand a client certificate (tls.cert, tls.key)?',
}

/** Name of the alert in an error code; versions of OpenSSL differ in what stands before it. */
function alertOf(code: string): string {
  return /^ERR_SSL_.+_ALERT_(\w+)$/.exec(code)?.[1] ?? ''
}

/** Describes why TLS failed; undefined when the error is not one of TLS. */
export function tlsReason(address: Address, cause: Error | undefined): string | undefined {
  if (address.kind !== 'tls') return undefined
  if (cause === undefined) return CLOSED
  const code = systemCode(cause) ?? ''
  const reason = REASONS[code] ?? ALERTS[alertOf(code)]
  if (reason !== undefined) return reason
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `its certificate is for another host (tls.servername): ${(cause as { reason?: string }).reason ?? cause.message}`
  // An error of the socket itself has a system call.
  if ((cause as { syscall?: string }).syscall !== undefined) return undefined
  return `the TLS handshake failed: ${cause.message}`
}

/**
 * Whether a TLS server has refused the client certificate. With TLS 1.3 that is noticed after the handshake: the client
 * has ended it, and may have sent a request, before the server looks at the certificate (RFC 8446 §4.4.2.4). Nothing of the
 * request has reached the application then.
 */
export function isRefusedClient(cause: Error | undefined): boolean {
  return Object.hasOwn(REFUSALS, alertOf(systemCode(cause) ?? ''))
}
