import { RequestBodyError } from '@fastcgi/client'
import qs from 'qs'

/**
 * Turns a body that a framework has already parsed back into bytes. JSON and urlencoded can be written again;
 * anything else (multipart above all) is gone and must not be replaced by an empty body.
 * @throws RequestBodyError FCGI_BODY_CONSUMED
 */
export function encodeParsedBody(body: unknown, contentType: string | undefined): Buffer {
  if (Buffer.isBuffer(body)) return body
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (/^application\/(?:.*\+)?json$/.test(type)) return encodeJSON(body)
  if (typeof body === 'string') return Buffer.from(body, charsetOf(contentType))
  if (type === 'application/x-www-form-urlencoded' && typeof body === 'object' && body !== null)
    return Buffer.from(qs.stringify(body))
  throw new RequestBodyError(
    'FCGI_BODY_CONSUMED',
    `the request body (${type || 'no content type'}) has been read by a body parser before it came here; ` +
      'register the FastCGI routes before body parsers, or limit those to other routes',
  )
}

// A JSON parser hands out strings too: for a body that is a JSON string, and with type text for the raw one.
function encodeJSON(body: unknown): Buffer {
  if (typeof body === 'string' && isJSON(body)) return Buffer.from(body)
  return Buffer.from(JSON.stringify(body) ?? '')
}

function isJSON(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function charsetOf(contentType: string | undefined): 'utf8' | 'latin1' {
  const charset = /charset="?([^";\s]+)/i.exec(contentType ?? '')?.[1]?.toLowerCase()
  return charset === 'iso-8859-1' || charset === 'us-ascii' ? 'latin1' : 'utf8'
}
