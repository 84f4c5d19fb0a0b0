import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import mime from 'mime'
import { knowsHttp11 } from '../request/http-version.ts'
import type { GatewayResponse, ResponseStart } from '../response/gateway-response.ts'
import { fieldValue, withoutFields } from '../response/response-fields.ts'
import { evaluateConditions, rangeApplies, type Validators } from './conditions.ts'
import { closeAll, FileBody, type FilePart } from './file-body.ts'
import type { OpenedFile } from './open-file.ts'
import { type ByteRange, requestedRanges } from './ranges.ts'

/** A response as it is to be, before a stream is made of its parts. */
interface Plan {
  status: number
  headers: string[]
  parts: Array<FilePart | Buffer>
}

/**
 * Fields that would be those of another body. Content-Encoding as well: PHP says it by itself where it compresses its
 * output, and the file is not compressed.
 */
const OF_ANOTHER_BODY = new Set(['content-length', 'content-encoding', 'transfer-encoding'])

/** Fields that describe a body, where there is none of the file (RFC 9110 §15.4.5). */
const OF_THE_BODY = new Set([
  'content-type',
  'content-length',
  'content-disposition',
  'content-language',
  'content-range',
])

/** The response that sends a file as a request asks for it: conditions, ranges, HEAD. The file is closed in the end. */
export async function fileResponse(
  req: IncomingMessage,
  file: OpenedFile,
  start: ResponseStart,
): Promise<GatewayResponse> {
  return respond(req, start, [file], plan(req, file, start))
}

/** The response that sends parts of files one behind the other, and nothing else of its own accord. */
export async function partsResponse(
  req: IncomingMessage,
  files: readonly OpenedFile[],
  parts: readonly FilePart[],
  start: ResponseStart,
): Promise<GatewayResponse> {
  const headers = withoutFields(start.headers, OF_ANOTHER_BODY)
  return respond(req, start, files, whole(start.status, headers, parts))
}

/** The response without the body that was to be put in the place of its own. */
export function withoutBody({ status, reason, headers }: ResponseStart): GatewayResponse {
  const plan = whole(status, withoutFields(headers, OF_ANOTHER_BODY), [])
  return { status, reason, headers: plan.headers, body: null }
}

async function respond(
  req: IncomingMessage,
  start: ResponseStart,
  files: readonly OpenedFile[],
  { status, headers, parts }: Plan,
): Promise<GatewayResponse> {
  const handles = files.map(({ handle }) => handle)
  const reason = status === start.status ? start.reason : ''
  const isEmpty = parts.every(({ length }) => length === 0)
  if (!isEmpty && req.method !== 'HEAD' && hasBody(status))
    return { status, reason, headers, body: new FileBody(parts, handles) }
  await closeAll(handles)
  return { status, reason, headers, body: null }
}

function plan(req: IncomingMessage, file: OpenedFile, start: ResponseStart): Plan {
  const { status } = start
  const headers = withoutFields(start.headers, OF_ANOTHER_BODY)
  addMissing(headers, 'Content-Type', typeOf(file.path))
  // RFC 9110 §13.2.1: neither conditions nor ranges where the answer would not be 200 anyway.
  if (status !== 200 || (req.method !== 'GET' && req.method !== 'HEAD'))
    return whole(status, headers, [allOf(file)])

  const validators: Validators = {
    etag: addMissing(headers, 'ETag', etagOf(file)),
    lastModified: addMissing(headers, 'Last-Modified', lastModifiedOf(file)),
  }
  addMissing(headers, 'Accept-Ranges', 'bytes')
  const verdict = evaluateConditions(req.headers, validators)
  if (verdict === 'not-modified') return bodiless(304, headers)
  if (verdict === 'failed') return bodiless(412, headers, 'Content-Length', '0')
  const ranges = rangesOf(req, headers, validators, file.size)
  if (ranges === undefined) return whole(status, headers, [allOf(file)])
  const [first, second] = ranges
  if (first === undefined)
    return bodiless(416, headers, 'Content-Range', `bytes */${file.size}`, 'Content-Length', '0')
  return second === undefined ? single(headers, file, first) : multipart(headers, file, ranges)
}

/** Adds a field unless the application has given it; returns the value that is sent. */
function addMissing(headers: string[], name: string, value: string): string {
  const given = fieldValue(headers, name)
  if (given === undefined) headers.push(name, value)
  return given ?? value
}

/** Ranges are for GET (RFC 9110 §14.2), and since HTTP/1.1: a cache of before would take the part for the whole. */
function rangesOf(
  req: IncomingMessage,
  headers: readonly string[],
  validators: Validators,
  size: number,
): ByteRange[] | undefined {
  const { range } = req.headers
  if (range === undefined || req.method !== 'GET' || !knowsHttp11(req)) return undefined
  if (fieldValue(headers, 'accept-ranges')?.toLowerCase() === 'none') return undefined
  return rangeApplies(req.headers, validators) ? requestedRanges(range, size) : undefined
}

function whole(status: number, headers: readonly string[], parts: readonly FilePart[]): Plan {
  const length = hasBody(status) ? ['Content-Length', String(lengthOf(parts))] : []
  return { status, headers: [...headers, ...length], parts: [...parts] }
}

function single(headers: readonly string[], file: OpenedFile, range: ByteRange): Plan {
  const part = partOf(file, range)
  const more = ['Content-Range', contentRange(file, range), 'Content-Length', String(part.length)]
  return { status: 206, headers: [...headers, ...more], parts: [part] }
}

/** RFC 9110 §14.6. */
function multipart(given: readonly string[], file: OpenedFile, ranges: readonly ByteRange[]): Plan {
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

function bodiless(status: number, headers: readonly string[], ...more: string[]): Plan {
  return { status, headers: [...withoutFields(headers, OF_THE_BODY), ...more], parts: [] }
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

/** File systems tell times apart as coarsely as this (FAT), in milliseconds. */
const COARSE = 2000n

/**
 * Of size and time of change, so that it is the same on several machines that have the same files. Strong, for If-Range
 * and If-Match need that; weak as long as another change might leave the time as it is (RFC 9110 §8.8.1, as Apache).
 */
function etagOf({ size, modifiedNs }: OpenedFile): string {
  const tag = `"${size.toString(16)}-${modifiedNs.toString(16)}"`
  return BigInt(Date.now()) - modifiedNs / 1_000_000n < COARSE ? `W/${tag}` : tag
}

function lastModifiedOf({ modifiedNs }: OpenedFile): string {
  return new Date(Number(modifiedNs / 1_000_000n)).toUTCString()
}

function typeOf(path: string): string {
  const type = mime.getType(path) ?? 'application/octet-stream'
  return type.startsWith('text/') ? `${type}; charset=utf-8` : type
}
