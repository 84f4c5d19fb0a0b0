import { RequestBodyError } from '@fastcgi/client'
import { encodeFields } from './form-encoding.ts'

/** A parsed body that has been encoded again. */
export interface EncodedBody {
  readonly body: Buffer
  /** CONTENT_TYPE if it differs from the request's: the same type with the charset that the body is now in. */
  readonly contentType: string | undefined
}

/**
 * Encodes a body that a framework has already parsed, so that the application reads the same values from it. JSON and
 * urlencoded bodies can be encoded again; any other, above all multipart, is lost, and is an error because an empty body
 * would be wrong.
 * @throws RequestBodyError FCGI_BODY_CONSUMED
 */
export function encodeParsedBody(body: unknown, contentType: string | undefined): EncodedBody {
  const bytes = bytesOf(body)
  if (bytes !== undefined) return { body: bytes, contentType: undefined }
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (/^application\/(?:.*\+)?json$/.test(type)) return inUTF8(jsonText(body), contentType)
  if (typeof body === 'string') return encodeText(body, contentType)
  if (type === 'application/x-www-form-urlencoded' && typeof body === 'object' && body !== null)
    return encodeForm(body, contentType)
  throw new RequestBodyError(
    'FCGI_BODY_CONSUMED',
    `the request body (${type || 'no content type'}) has been read by a body parser before the gateway got it, and cannot be encoded again; ` +
      'register the FastCGI routes before body parsers, or restrict those to other routes',
  )
}

function bytesOf(body: unknown): Buffer | undefined {
  if (Buffer.isBuffer(body)) return body
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  return undefined
}

// A string is either the raw text, from a text parser, or the value of a body that is a JSON string.
function jsonText(body: unknown): string {
  if (typeof body === 'string' && isJSON(body)) return body
  return JSON.stringify(body) ?? ''
}

function isJSON(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Encodes text in the charset of the request if that is one that Node encodes to, else in UTF-8. */
function encodeText(text: string, contentType: string | undefined): EncodedBody {
  const fits = isLatin1(contentType) && /^[\0-\xff]*$/.test(text)
  if (fits) return { body: Buffer.from(text, 'latin1'), contentType: undefined }
  return inUTF8(text, contentType)
}

/**
 * Encodes the fields of a form. A parser that does not interpret brackets keeps them in the names, and repeats of a name as
 * an array; each is written as it was sent. It is recognized by such names, or by the prototype of its result (querystring,
 * fast-querystring). Otherwise objects and arrays are written with brackets, which PHP reads as the same arrays.
 */
function encodeForm(body: object, contentType: string | undefined): EncodedBody {
  const isFlat =
    Object.getPrototypeOf(body) !== Object.prototype ||
    Object.keys(body).some((name) => name.includes('['))
  const charset = isLatin1(contentType) ? 'iso-8859-1' : 'utf-8'
  const text = encodeFields(body, charset, isFlat)
  return charset === 'utf-8'
    ? inUTF8(text, contentType)
    : { body: Buffer.from(text), contentType: undefined }
}

function inUTF8(text: string, contentType: string | undefined): EncodedBody {
  const charset = charsetOf(contentType)
  const agrees = charset === undefined || charset === 'utf-8' || charset === 'utf8'
  return {
    body: Buffer.from(text),
    contentType: agrees ? undefined : contentType?.replace(CHARSET, '$1utf-8'),
  }
}

const CHARSET = /(;\s*charset=)("[^"]*"|[^;\s]*)/i

function charsetOf(contentType: string | undefined): string | undefined {
  return CHARSET.exec(contentType ?? '')?.[2]
    ?.replaceAll('"', '')
    .toLowerCase()
}

function isLatin1(contentType: string | undefined): boolean {
  const charset = charsetOf(contentType)
  return charset === 'iso-8859-1' || charset === 'us-ascii'
}
