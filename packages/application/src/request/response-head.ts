import { STATUS_CODES } from 'node:http'

/** Fields of the hop to the client, which are the web server's (RFC 3875 §6.3.4), and Status, which is ours. */
const NOT_FOR_CGI =
  /^(?:connection|keep-alive|proxy-connection|status|te|trailer|transfer-encoding|upgrade)[ \t]*:.*\r\n/gim

/**
 * The head of an HTTP/1 response, up to and with its empty line, as the head of a CGI response (RFC 3875 §6).
 * Undefined for a 1xx response, of which CGI knows none.
 *
 * Status comes last: HAProxy makes every response a 302 whose Location comes after its Status. But `statusFirst` for
 * authorizers, because lighttpd drops those fields of a denial that come before it.
 */
export function toCgiHead(head: string, statusFirst: boolean): string | undefined {
  const lineEnd = head.indexOf('\r\n')
  // Behind 'HTTP/1.1 '.
  const code = head.slice(9, lineEnd)
  if (code.startsWith('1')) return undefined
  const status = `Status: ${code}\r\n`
  const fields = head.slice(lineEnd + 2, -2).replace(NOT_FOR_CGI, '')
  return statusFirst ? `${status}${fields}\r\n` : `${fields}${status}\r\n`
}

/** A whole CGI response that says no more than its status. */
export function statusResponse(status: number): Buffer {
  const reason = STATUS_CODES[status] ?? ''
  return Buffer.from(
    `Status: ${status} ${reason}\r\nContent-Type: text/plain\r\nContent-Length: ${reason.length + 1}\r\n\r\n${reason}\n`,
  )
}
