// Makes the response that sends an open file: its type, its validators, HEAD.

import type { IncomingMessage } from 'node:http'
import mime from 'mime'
import { fieldValue, withoutFields } from '../response/field-list.ts'
import type { GatewayResponse, ResponseStart } from '../response/gateway-response.ts'
import { notInFuture } from '../response/last-modified.ts'
import type { Validators } from './conditional-request.ts'
import { closeAll, FileBody, type FilePart } from './file-body.ts'
import type { OpenedFile } from './open-within-roots.ts'
import type { ByteRange } from './range-parser.ts'
import { hasBody, planResponse, type ResponsePlan, wholePlan } from './representation.ts'

/**
 * Fields that describe the body that the file replaces. Content-Encoding is kept, as with lighttpd: an application that
 * names a file `x.js.gz` says with it what the file contains.
 */
const REPLACED_BODY_FIELDS = new Set(['content-length'])

/** The same where no file is sent in its place. */
const DROPPED_BODY_FIELDS = new Set(['content-length', 'content-encoding'])

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

async function respond(
  req: IncomingMessage,
  start: ResponseStart,
  files: readonly OpenedFile[],
  { status, headers, parts }: FilePlan,
): Promise<GatewayResponse> {
  const handles = files.map(({ handle }) => handle)
  const reason = status === start.status ? start.reason : ''
  const isEmpty = parts.every(({ length }) => length === 0)
  if (!isEmpty && req.method !== 'HEAD' && hasBody(status))
    return { status, reason, headers, body: new FileBody(parts, handles) }
  await closeAll(handles)
  return { status, reason, headers, body: null }
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

function partOf({ handle, path }: OpenedFile, { first, last }: ByteRange): FilePart {
  return { handle, path, start: first, length: last - first + 1 }
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
