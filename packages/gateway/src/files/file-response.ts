// Makes the response that sends an open file: its type, its validators, HEAD.

import type { IncomingMessage } from 'node:http'
import mime from 'mime'
import { fieldValue, withoutFields } from '../response/field-list.ts'
import type { GatewayResponse, ResponseStart } from '../response/gateway-response.ts'
import { notInFuture } from '../response/last-modified.ts'
import type { Validators } from './conditional-request.ts'
import { FileBody, type FilePart } from './file-body.ts'
import type { OpenedFile } from './opened-file.ts'
import type { ByteRange } from './range-parser.ts'
import { hasBody, planResponse, type ResponsePlan, wholePlan } from './representation.ts'
import { MAX_SMALL, readParts, readPartsNow } from './small-body.ts'

/**
 * Fields that describe the body that the file replaces. Content-Encoding is kept, as with lighttpd: an application that
 * names a file `x.js.gz` says with it what the file contains.
 */
const REPLACED_BODY_FIELDS = new Set(['content-length'])

/** The same where no file is sent in its place. */
const DROPPED_BODY_FIELDS = new Set(['content-length', 'content-encoding'])

/**
 * The response that sends a file, with conditions and ranges of the request evaluated. The file is closed when the body
 * ends, or at once if no body is sent or it is read at once.
 */
export function fileResponse(
  req: IncomingMessage,
  file: OpenedFile,
  start: ResponseStart,
  charset: string,
): GatewayResponse | Promise<GatewayResponse> {
  const { status, headers, parts } = planFile(req, file, start, charset)
  const ofFile = parts.map((part) => (Buffer.isBuffer(part) ? part : partOf(file, part)))
  return respond(req, start, [file], { status, headers, parts: ofFile })
}

/** The response that sends parts of files in sequence, without evaluating conditions or ranges. */
export async function partsResponse(
  req: IncomingMessage,
  files: readonly OpenedFile[],
  parts: readonly FilePart[],
  start: ResponseStart,
): Promise<GatewayResponse> {
  const given = withoutFields(start.headers, REPLACED_BODY_FIELDS)
  const size = parts.reduce((sum, { length }) => sum + length, 0)
  const { status, headers } = wholePlan(start.status, given, size)
  return respond(req, start, files, { status, headers, parts: [...parts] })
}

/** The response without any body, for when the file in place of its own body cannot be sent. */
export function withoutBody({ status, reason, headers }: ResponseStart): GatewayResponse {
  const plan = wholePlan(status, withoutFields(headers, DROPPED_BODY_FIELDS), 0)
  return { status, reason, headers: plan.headers, body: null }
}

/** A response whose body is parts of files. */
interface FilePlan {
  readonly status: number
  readonly headers: string[]
  readonly parts: Array<FilePart | Buffer>
}

function respond(
  req: IncomingMessage,
  start: ResponseStart,
  files: readonly OpenedFile[],
  { status, headers, parts }: FilePlan,
): GatewayResponse | Promise<GatewayResponse> {
  const head = { status, reason: status === start.status ? start.reason : '', headers }
  const size = parts.reduce((sum, { length }) => sum + length, 0)
  if (size === 0 || req.method === 'HEAD' || !hasBody(status))
    return withFilesClosed(files, { ...head, body: null })
  const finish = (body: Buffer | undefined) =>
    body === undefined
      ? { ...head, body: new FileBody(parts, files) }
      : withFilesClosed(files, { ...head, body })
  if (size > MAX_SMALL) return finish(undefined)
  return files.every(({ isWarm }) => isWarm)
    ? finish(readPartsNow(parts, size))
    : readParts(parts, size).then(finish)
}

function withFilesClosed(
  files: readonly OpenedFile[],
  response: GatewayResponse,
): GatewayResponse | Promise<GatewayResponse> {
  const closing = files.flatMap((file) => file.close() ?? [])
  return closing.length === 0 ? response : Promise.all(closing).then(() => response)
}

function planFile(
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
    return wholePlan(status, headers, file.size)
  const validators: Validators = {
    etag: addMissing(headers, 'ETag', etagOf(file)),
    lastModified: addMissing(headers, 'Last-Modified', lastModifiedOf(file)),
  }
  addMissing(headers, 'Accept-Ranges', 'bytes')
  return planResponse(req, headers, validators, file.size)
}

/** Adds a field unless the application has sent it; returns the value that is sent. */
function addMissing(headers: string[], name: string, value: string): string {
  const given = fieldValue(headers, name)
  if (given === undefined) headers.push(name, value)
  return given ?? value
}

function partOf(file: OpenedFile, { first, last }: ByteRange): FilePart {
  return { file, start: first, length: last - first + 1 }
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
