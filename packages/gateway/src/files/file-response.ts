// Makes the response that sends an open file: conditions, ranges, validators, HEAD.

import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import mime from 'mime'
import { knowsHttp11 } from '../request/http-version.ts'
import { fieldValue, withoutFields } from '../response/field-list.ts'
import type { GatewayResponse, ResponseStart } from '../response/gateway-response.ts'
import { notInFuture } from '../response/last-modified.ts'
import { evaluateConditions, rangeApplies, type Validators } from './conditional-request.ts'
import { closeAll, FileBody, type FilePart } from './file-body.ts'
import type { OpenedFile } from './open-within-roots.ts'
import { type ByteRange, parseRanges } from './range-parser.ts'

/** A response whose body is still a list of parts. */
interface ResponsePlan {
  status: number
  headers: string[]
  parts: Array<FilePart | Buffer>
}

/**
 * Fields that describe the body that the file replaces. PHP sets Content-Encoding by itself when it compresses its output,
 * but the file is not compressed.
 */
const REPLACED_BODY_FIELDS = new Set(['content-length', 'content-encoding', 'transfer-encoding'])

/** Fields that describe the file and are left out of responses without it (RFC 9110 §15.4.5). */
const BODY_FIELDS = new Set([
  'content-type',
  'content-length',
  'content-disposition',
  'content-language',
  'content-range',
])

/**
 * The response that sends a file, with conditions and ranges of the request evaluated. The file is closed when the body
 * ends, or at once if no body is sent.
 */
export async function fileResponse(
  req: IncomingMessage,
  file: OpenedFile,
  start: ResponseStart,
  charset: string,
): Promise<GatewayResponse> {
  return respond(req, start, [file], planResponse(req, file, start, charset))
}

/** The response that sends parts of files in sequence, without evaluating conditions or ranges. */
export async function partsResponse(
  req: IncomingMessage,
  files: readonly OpenedFile[],
  parts: readonly FilePart[],
  start: ResponseStart,
): Promise<GatewayResponse> {
  const headers = withoutFields(start.headers, REPLACED_BODY_FIELDS)
  return respond(req, start, files, wholePlan(start.status, headers, parts))
}

/** The response without any body, for when the file in place of its own body cannot be sent. */
export function withoutBody({ status, reason, headers }: ResponseStart): GatewayResponse {
  const planResponse = wholePlan(status, withoutFields(headers, REPLACED_BODY_FIELDS), [])
  return { status, reason, headers: planResponse.headers, body: null }
}

async function respond(
  req: IncomingMessage,
  start: ResponseStart,
  files: readonly OpenedFile[],
  { status, headers, parts }: ResponsePlan,
): Promise<GatewayResponse> {
  const handles = files.map(({ handle }) => handle)
  const reason = status === start.status ? start.reason : ''
  const isEmpty = parts.every(({ length }) => length === 0)
  if (!isEmpty && req.method !== 'HEAD' && hasBody(status))
    return { status, reason, headers, body: new FileBody(parts, handles) }
  await closeAll(handles)
  return { status, reason, headers, body: null }
}

function planResponse(
  req: IncomingMessage,
  file: OpenedFile,
  start: ResponseStart,
  charset: string,
): ResponsePlan {
  const { status } = start
  const headers = withoutFields(start.headers, REPLACED_BODY_FIELDS)
  addMissing(headers, 'Content-Type', typeOf(file.path, charset))
  // RFC 9110 §13.2.1: conditions and ranges are ignored if the response without them would not be 200.
  if (status !== 200 || (req.method !== 'GET' && req.method !== 'HEAD'))
    return wholePlan(status, headers, [allOf(file)])

  const validators: Validators = {
    etag: addMissing(headers, 'ETag', etagOf(file)),
    lastModified: addMissing(headers, 'Last-Modified', lastModifiedOf(file)),
  }
  addMissing(headers, 'Accept-Ranges', 'bytes')
  const verdict = evaluateConditions(req.headers, validators)
  if (verdict === 'not-modified') return bodilessPlan(304, headers)
  if (verdict === 'failed') return bodilessPlan(412, headers, 'Content-Length', '0')
  const ranges = rangesOf(req, headers, validators, file.size)
  if (ranges === undefined) return wholePlan(status, headers, [allOf(file)])
  const [first, second] = ranges
  if (first === undefined)
    return bodilessPlan(
      416,
      headers,
      'Content-Range',
      `bytes */${file.size}`,
      'Content-Length',
      '0',
    )
  return second === undefined
    ? singleRangePlan(headers, file, first)
    : multipartPlan(headers, file, ranges)
}

/** Adds a field unless the application has sent it; returns the value that is sent. */
function addMissing(headers: string[], name: string, value: string): string {
  const given = fieldValue(headers, name)
  if (given === undefined) headers.push(name, value)
  return given ?? value
}

/** Ranges apply to GET only (RFC 9110 §14.2), and not in HTTP/1.0, whose caches would store the part as the whole. */
function rangesOf(
  req: IncomingMessage,
  headers: readonly string[],
  validators: Validators,
  size: number,
): ByteRange[] | undefined {
  const { range } = req.headers
  if (range === undefined || req.method !== 'GET' || !knowsHttp11(req)) return undefined
  if (fieldValue(headers, 'accept-ranges')?.toLowerCase() === 'none') return undefined
  return rangeApplies(req.headers, validators) ? parseRanges(range, size) : undefined
}

function wholePlan(
  status: number,
  headers: readonly string[],
  parts: readonly FilePart[],
): ResponsePlan {
  const length = hasBody(status) ? ['Content-Length', String(lengthOf(parts))] : []
  return { status, headers: [...headers, ...length], parts: [...parts] }
}

function singleRangePlan(
  headers: readonly string[],
  file: OpenedFile,
  range: ByteRange,
): ResponsePlan {
  const part = partOf(file, range)
  const added = ['Content-Range', contentRange(file, range), 'Content-Length', String(part.length)]
  return { status: 206, headers: [...headers, ...added], parts: [part] }
}

/** A multipart/byteranges body (RFC 9110 §14.6). */
function multipartPlan(
  given: readonly string[],
  file: OpenedFile,
  ranges: readonly ByteRange[],
): ResponsePlan {
  const boundary = randomUUID()
  const type = fieldValue(given, 'content-type')
  const parts = ranges.flatMap((range, at) => [
    Buffer.from(
      `${at === 0 ? '' : '\r\n'}--${boundary}\r\n` +
        `Content-Type: ${type}\r\nContent-Range: ${contentRange(file, range)}\r\n\r\n`,
      'latin1',
    ),
    partOf(file, range),
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

function hasBody(status: number): boolean {
  return status !== 204 && status !== 304
}

function partOf({ handle, path }: OpenedFile, { first, last }: ByteRange): FilePart {
  return { handle, path, start: first, length: last - first + 1 }
}

function allOf(file: OpenedFile): FilePart {
  return partOf(file, { first: 0, last: file.size - 1 })
}

function contentRange({ size }: OpenedFile, { first, last }: ByteRange): string {
  return `bytes ${first}-${last}/${size}`
}

function lengthOf(parts: ReadonlyArray<{ readonly length: number }>): number {
  return parts.reduce((sum, { length }) => sum + length, 0)
}

/** Milliseconds: the coarsest resolution of modification times (FAT). */
const COARSEST_MTIME_MS = 2000n

/**
 * Made of size and modification time, so that machines with the same files send the same ETag. It is strong, as If-Range and
 * If-Match require, but weak for a file so new that another change could leave its time unchanged (RFC 9110 §8.8.1, as
 * Apache).
 */
function etagOf({ size, modifiedNs }: OpenedFile): string {
  const tag = `"${size.toString(16)}-${modifiedNs.toString(16)}"`
  return BigInt(Date.now()) - modifiedNs / 1_000_000n < COARSEST_MTIME_MS ? `W/${tag}` : tag
}

function lastModifiedOf({ modifiedNs }: OpenedFile): string {
  return notInFuture(Number(modifiedNs / 1_000_000n))
}

function typeOf(path: string, charset: string): string {
  const type = mime.getType(path) ?? 'application/octet-stream'
  return charset !== '' && type.startsWith('text/') ? `${type}; charset=${charset}` : type
}
