// Converts the head of a response from HTTP/1 to CGI.
import { STATUS_CODES } from 'node:http'

/** Hop-by-hop fields, which belong to the web server (RFC 3875 §6.3.4), and Status, which is set from the status line. */
const OMITTED_FIELDS =
  /^(?:connection|keep-alive|proxy-connection|status|te|trailer|transfer-encoding|upgrade)[ \t]*:.*\r\n/gim

/**
 * Converts the head of an HTTP/1 response, including its empty line, to the head of a CGI response (RFC 3875 §6).
 * Returns undefined for a 1xx response, which CGI does not have.
 *
 * Status is the last field, because HAProxy turns a response whose Location follows its Status into a 302. With
 * `statusFirst`, for authorizers, it is the first, because lighttpd drops the fields of a denial that precede it.
 */
export function toCgiHead(head: string, statusFirst: boolean): string | undefined {
  const lineEnd = head.indexOf('\r\n')
  // Skips 'HTTP/1.1 '.
  const code = head.slice(9, lineEnd)
  if (code.startsWith('1')) return undefined
  const status = `Status: ${code}\r\n`
  const all = head.slice(lineEnd + 2, -2)
  const fields = withoutNominated(all).replace(OMITTED_FIELDS, '')
  return statusFirst ? `${status}${fields}\r\n` : `${fields}${status}\r\n`
}

/** Drops the fields that Connection lists: they are hop-by-hop, too (RFC 9110 §7.6.1). */
function withoutNominated(fields: string): string {
  const listed = /^connection[ \t]*:(.*)\r\n/im.exec(fields)?.[1]?.toLowerCase()
  if (listed === undefined || /^[ \t]*(?:close|keep-alive)[ \t]*$/.test(listed)) return fields
  const names = new Set(listed.split(/[\s,]+/))
  return fields.replace(/^([^:\r\n]+?)[ \t]*:.*\r\n/gm, (line, name: string) =>
    names.has(name.toLowerCase()) ? '' : line,
  )
}

/** A complete CGI response whose body is the reason phrase of its status. */
export function statusResponse(status: number): Buffer {
  const reason = STATUS_CODES[status] ?? ''
  return Buffer.from(
    `Status: ${status} ${reason}\r\nContent-Type: text/plain\r\nContent-Length: ${reason.length + 1}\r\n\r\n${reason}\n`,
  )
}
