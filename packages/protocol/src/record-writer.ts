import {
  HEADER_LENGTH,
  KEEP_CONN,
  MAX_CONTENT_LENGTH,
  MAX_PADDING_LENGTH,
  MAX_PARAMS_LENGTH,
  MAX_REQUEST_ID,
  type ProtocolStatus,
  RecordType,
  type Role,
  VERSION,
} from './constants.ts'
import { encodeNameValues, wholePairsLength } from './name-value.ts'

/** Bytes of BEGIN_REQUEST and END_REQUEST, header included. */
const FIXED_RECORD_LENGTH = HEADER_LENGTH + 8

/**
 * Writes a record header at `offset` and returns where the content begins.
 * The only place where a length gets onto the wire, hence the only place where it is checked: a length
 * that wraps lets body bytes be read as records (HAProxy 0aeae2305, CVE-2026-55203).
 * @throws RangeError for a content length over 65535, a padding over 255 or an id over 65535.
 */
export function writeRecordHeader(
  target: Buffer,
  offset: number,
  type: RecordType,
  requestId: number,
  contentLength: number,
  paddingLength = 0,
): number {
  checkRange('contentLength', contentLength, MAX_CONTENT_LENGTH)
  checkRange('paddingLength', paddingLength, MAX_PADDING_LENGTH)
  checkRange('requestId', requestId, MAX_REQUEST_ID)
  target[offset] = VERSION
  target[offset + 1] = type
  target[offset + 2] = requestId >>> 8
  target[offset + 3] = requestId & 255
  target[offset + 4] = contentLength >>> 8
  target[offset + 5] = contentLength & 255
  target[offset + 6] = paddingLength
  target[offset + 7] = 0
  return offset + HEADER_LENGTH
}

function checkRange(what: string, value: number, most: number): void {
  if (!(value >= 0 && value <= most && Number.isInteger(value)))
    throw new RangeError(`record ${what} must be 0 to ${most}, got ${value}`)
}

/** One record: header, content and zero padding to a multiple of 8 (FastCGI 1.0 §3.3, recommended). */
export function encodeRecord(
  type: RecordType,
  requestId: number,
  content: Uint8Array = EMPTY,
): Buffer {
  const record = Buffer.allocUnsafe(paddedLength(content.length))
  writeRecord(record, 0, type, requestId, content)
  return record
}

const EMPTY = new Uint8Array(0)

function paddedLength(contentLength: number): number {
  return HEADER_LENGTH + contentLength + (-contentLength & 7)
}

function writeRecord(
  target: Buffer,
  offset: number,
  type: RecordType,
  requestId: number,
  content: Uint8Array,
): number {
  const padding = -content.length & 7
  const start = writeRecordHeader(target, offset, type, requestId, content.length, padding)
  target.set(content, start)
  return writeZeros(target, start + content.length, padding)
}

// A loop: so few bytes are not worth a call of fill().
function writeZeros(target: Buffer, offset: number, length: number): number {
  const end = offset + length
  for (let at = offset; at < end; at++) target[at] = 0
  return end
}

/** The header of a record whose content is written on its own, without copying; no padding. */
export function encodeRecordHeader(
  type: RecordType,
  requestId: number,
  contentLength: number,
): Buffer {
  const header = Buffer.allocUnsafe(HEADER_LENGTH)
  writeRecordHeader(header, 0, type, requestId, contentLength)
  return header
}

/** What opens a request. */
export interface RequestHead {
  requestId: number
  role: Role
  /** Sets KEEP_CONN, so that the application leaves the connection open (FastCGI 1.0 §3.5). */
  keepConnection: boolean
  /** An encoded name-value block; cut into records between pairs. */
  params: Buffer
  /** STDIN that is known already; at most 65535 bytes. */
  stdin?: Uint8Array | undefined
  /** Whether STDIN ends here: its empty record goes along. */
  endStdin: boolean
}

/**
 * BEGIN_REQUEST, PARAMS, the empty PARAMS, first STDIN and, where it is known, STDIN's end: one buffer for one write.
 * @throws ParamsTooLargeError when one pair is over a record's size.
 */
export function encodeRequestHead(head: RequestHead): Buffer {
  const target = Buffer.allocUnsafe(requestHeadLength(head))
  writeRequestHead(target, 0, head)
  return target
}

/** How many bytes {@link writeRequestHead} writes. @throws ParamsTooLargeError when one pair is over a record's size. */
export function requestHeadLength({ params, stdin, endStdin }: RequestHead): number {
  let length = FIXED_RECORD_LENGTH + HEADER_LENGTH
  for (let from = 0; from < params.length; ) {
    const cut = paramsCut(params, from)
    length += paddedLength(cut)
    from += cut
  }
  if (stdin !== undefined && stdin.length > 0) length += paddedLength(stdin.length)
  return endStdin ? length + HEADER_LENGTH : length
}

/** Writes what {@link encodeRequestHead} makes, and returns where it ends. */
export function writeRequestHead(target: Buffer, offset: number, head: RequestHead): number {
  const { requestId, params, stdin } = head
  let at = writeBeginRequest(target, offset, head)
  for (let from = 0; from < params.length; ) {
    const end = from + paramsCut(params, from)
    const piece = from === 0 && end === params.length ? params : params.subarray(from, end)
    at = writeRecord(target, at, RecordType.PARAMS, requestId, piece)
    from = end
  }
  at = writeRecordHeader(target, at, RecordType.PARAMS, requestId, 0)
  if (stdin !== undefined && stdin.length > 0)
    at = writeRecord(target, at, RecordType.STDIN, requestId, stdin)
  return head.endStdin ? writeRecordHeader(target, at, RecordType.STDIN, requestId, 0) : at
}

/** How many bytes of the params from there on go into one record. */
function paramsCut(params: Buffer, from: number): number {
  const rest = params.length - from
  return from === 0 && rest <= MAX_PARAMS_LENGTH ? rest : wholePairsLength(params, from)
}

function writeBeginRequest(target: Buffer, offset: number, head: RequestHead): number {
  const at = writeRecordHeader(target, offset, RecordType.BEGIN_REQUEST, head.requestId, 8)
  const end = writeZeros(target, at, 8)
  target[at + 1] = head.role
  target[at + 2] = head.keepConnection ? KEEP_CONN : 0
  return end
}

/** ABORT_REQUEST (FastCGI 1.0 §5.4). Only multiplexing applications act on it; php-fpm and libfcgi do not. */
export function encodeAbortRequest(requestId: number): Buffer {
  return encodeRecord(RecordType.ABORT_REQUEST, requestId)
}

/** END_REQUEST (FastCGI 1.0 §5.5), sent by applications. */
export function encodeEndRequest(
  requestId: number,
  appStatus: number,
  protocolStatus: ProtocolStatus,
): Buffer {
  const content = Buffer.alloc(8)
  content.writeUInt32BE(appStatus >>> 0, 0)
  content[4] = protocolStatus
  return encodeRecord(RecordType.END_REQUEST, requestId, content)
}

/** GET_VALUES for the named variables (FastCGI 1.0 §4.1). */
export function encodeGetValues(names: readonly string[]): Buffer {
  const block = encodeNameValues(names.map((name): [string, string] => [name, '']))
  return encodeRecord(RecordType.GET_VALUES, 0, block)
}
