// The field Cache-Status (RFC 9211).

/** Why a request has gone to the application (RFC 9211 §2.2). */
export type Forwarded = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'stale' | 'request'

/** The name of this cache in the field. */
const NAME = 'FastCGI'

/** The response comes from the store. @param left milliseconds for which it is still fresh. */
export function hitStatus(left: number, detail?: string): string {
  const ttl = `${NAME}; hit; ttl=${Math.floor(left / 1000)}`
  return detail === undefined ? ttl : `${ttl}; detail=${detail}`
}

/** The response comes from the application. */
export function forwardedStatus(
  why: Forwarded,
  more: {
    status?: number
    stored?: boolean
    collapsed?: boolean
    detail?: string | undefined
  } = {},
): string {
  const { status, stored = false, collapsed = false, detail } = more
  return [
    `${NAME}; fwd=${why}`,
    status === undefined ? '' : `; fwd-status=${status}`,
    stored ? '; stored' : '',
    collapsed ? '; collapsed' : '',
    detail === undefined ? '' : `; detail=${detail}`,
  ].join('')
}
