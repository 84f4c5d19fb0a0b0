// Which part of a whole response a request wants: conditions and ranges (RFC 9110 §13, §14). Files and cached responses use it.

import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { knowsHttp11 } from '../request/http-version.ts'
import { fieldValue, withoutFields } from '../response/field-list.ts'
import { evaluateConditions, rangeApplies, type Validators } from './conditional-request.ts'
import { type ByteRange, parseRanges } from './range-parser.ts'

/** A response whose body is still a list of parts. A Buffer is sent as it is, between ranges of the whole. */
export interface ResponsePlan {
  status: number
  headers: string[]
  parts: Array<ByteRange | Buffer>
}

/** Fields that describe the body and are left out of responses without it (RFC 9110 §15.4.5). */
const BODY_FIELDS = new Set([
  'content-type',
  'content-encoding',
  'content-length',
  'content-disposition',
  'content-language',
  'content-range',
])

/**
 * Plans the response to a GET or HEAD whose response without conditions and ranges would be 200.
 * @param headers of the whole response, without Content-Length.
 * @param size of the whole body in bytes; undefined if it is not known, then ranges do not apply.
 */
export function planResponse(
  req: IncomingMessage,
  headers: readonly string[],
  validators: Validators,
  size: number | undefined,
): ResponsePlan {
  const verdict = evaluateConditions(req.headers, validators)
  if (verdict === 'not-modified') return bodilessPlan(304, headers)
  if (verdict === 'failed') return bodilessPlan(412, headers, 'Content-Length', '0')
  if (size === undefined) return { status: 200, headers: [...headers], parts: [] }
  const ranges = rangesOf(req, headers, validators, size)
  if (ranges === undefined) return wholePlan(200, headers, size)
  const [first, second] = ranges
  if (first === undefined)
    return bodilessPlan(416, headers, 'Content-Range', `bytes */${size}`, 'Content-Length', '0')
  return second === undefined
    ? singleRangePlan(headers, size, first)
    : multipartPlan(headers, size, ranges)
}

/** Sends all of it. */
export function wholePlan(status: number, headers: readonly string[], size: number): ResponsePlan {
  const length = hasBody(status) ? ['Content-Length', String(size)] : []
  return { status, headers: [...headers, ...length], parts: [{ first: 0, last: size - 1 }] }
}

export function hasBody(status: number): boolean {
  return status !== 204 && status !== 304
}

/**
 * Ranges apply to GET only (RFC 9110 §14.2), and not in HTTP/1.0, whose caches would store the part as the whole. As with
 * lighttpd, they do not apply to encoded files: the client cannot decode a part.
 */
function rangesOf(
  req: IncomingMessage,
  headers: readonly string[],
  validators: Validators,
  size: number,
): ByteRange[] | undefined {
  const { range } = req.headers
  if (range === undefined || req.method !== 'GET' || !knowsHttp11(req)) return undefined
  if (fieldValue(headers, 'content-encoding') !== undefined) return undefined
  if (fieldValue(headers, 'accept-ranges')?.toLowerCase() === 'none') return undefined
  return rangeApplies(req.headers, validators) ? parseRanges(range, size) : undefined
}

function singleRangePlan(headers: readonly string[], size: number, range: ByteRange): ResponsePlan {
  const length = String(range.last - range.first + 1)
  const added = ['Content-Range', contentRange(size, range), 'Content-Length', length]
  return { status: 206, headers: [...headers, ...added], parts: [range] }
}

/** A multipart/byteranges body (RFC 9110 §14.6). */
function multipartPlan(
  given: readonly string[],
  size: number,
  ranges: readonly ByteRange[],
): ResponsePlan {
  const boundary = randomUUID()
  const type = fieldValue(given, 'content-type')
  const ofType = type === undefined ? '' : `Content-Type: ${type}\r\n`
  const parts = ranges.flatMap((range, at) => [
    Buffer.from(
      `${at === 0 ? '' : '\r\n'}--${boundary}\r\n` +
        `${ofType}Content-Range: ${contentRange(size, range)}\r\n\r\n`,
      'latin1',
    ),
    range,
  ])
  const end = Buffer.from(`\r\n--${boundary}--\r\n`)
  const headers = withoutFields(given, new Set(['content-type']))
  headers.push('Content-Type', `multipart/byteranges; boundary=${boundary}`)
  headers.push('Content-Length', String(lengthOf([...parts, end])))
  return { status: 206, headers, parts: [...parts, end] }
}

function bodilessPlan(
  status: number,
  headers: readonly string[],
  ...added: string[]
): ResponsePlan {
  return { status, headers: [...withoutFields(headers, BODY_FIELDS), ...added], parts: [] }
}

function contentRange(size: number, { first, last }: ByteRange): string {
  return `bytes ${first}-${last}/${size}`
}

function lengthOf(parts: ReadonlyArray<ByteRange | Buffer>): number {
  return parts.reduce(
    (sum, part) => sum + (Buffer.isBuffer(part) ? part.length : part.last - part.first + 1),
    0,
  )
}
