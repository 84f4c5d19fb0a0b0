// Encoding of records (FastCGI 1.0 §3.3): single records, and the head of a request in one buffer.
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

/** Length of a BEGIN_REQUEST or END_REQUEST record in bytes, header included. */
const FIXED_RECORD_LENGTH = HEADER_LENGTH + 8

/**
 * Writes a record header at `offset` and returns the offset at which the content begins. All lengths are in bytes.
 *
 * All headers are written here, so lengths and ids are checked only here. A length that wraps at 65536 would let the
 * application read body bytes as records (HAProxy 0aeae2305, CVE-2026-55203).
 * @throws RangeError for a content length over 65535, a padding length over 255 or a request id over 65535.
 * @example
 * ```js
 * import { RecordType, writeRecordHeader } from '@fastcgi/protocol'
 *
 * const header = Buffer.alloc(8)
 * writeRecordHeader(header, 0, RecordType.STDIN, 1, 5)
 * console.log(header) // <Buffer 01 05 00 01 00 05 00 00>
 * ```
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

/**
 * Encodes one record: header, content and zero padding to a multiple of 8, as FastCGI 1.0 §3.3 recommends. Without
 * content it is the record that ends a stream.
 * @throws RangeError when the content is over 65535 bytes or the id over 65535.
 * @example
 * ```js
 * import { encodeRecord, RecordType } from '@fastcgi/protocol'
 *
 * console.log(encodeRecord(RecordType.STDIN, 1, Buffer.from('hello')).length) // 16
 * ```
 */
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

// For at most 8 bytes a loop is faster than Buffer.fill().
function writeZeros(target: Buffer, offset: number, length: number): number {
  const end = offset + length
  for (let at = offset; at < end; at++) target[at] = 0
  return end
}

/**
 * Encodes a header without padding, for content that is written separately, without copying it.
 * @throws RangeError when the content length or the id is over 65535.
 * @example
 * ```js
 * import { encodeRecordHeader, RecordType } from '@fastcgi/protocol'
 *
 * console.log(encodeRecordHeader(RecordType.STDIN, 1, 5)) // <Buffer 01 05 00 01 00 05 00 00>
 * ```
 */
export function encodeRecordHeader(
  type: RecordType,
  requestId: number,
  contentLength: number,
): Buffer {
  const header = Buffer.allocUnsafe(HEADER_LENGTH)
  writeRecordHeader(header, 0, type, requestId, contentLength)
  return header
}

/** The records that start a request. */
export interface RequestHead {
  /** 1 to 65535. */
  requestId: number
  /** Role of the application (FastCGI 1.0 §6). */
  role: Role
  /** Sets the flag KEEP_CONN, so that the application leaves the connection open (FastCGI 1.0 §3.5). */
  keepConnection: boolean
  /** An encoded name-value block. It is split into records between pairs. */
  params: Buffer
  /** The first bytes of STDIN, at most 65535; omitted or empty for none. */
  stdin?: Uint8Array | undefined
  /** Whether STDIN ends with these bytes; its empty end record is then appended. */
  endStdin: boolean
}

/**
 * Encodes BEGIN_REQUEST, PARAMS with its end record, the given part of STDIN, and, with `endStdin`, the end record of
 * STDIN, as one buffer for one write.
 * @throws ParamsTooLargeError when a pair is over 65528 bytes; ProtocolError when `params` is over 65528 bytes and
 * malformed; RangeError when `stdin` or the id is over 65535.
 * @example
 * ```js
 * import { encodeNameValues, encodeRequestHead, Role } from '@fastcgi/protocol'
 *
 * const params = encodeNameValues([['SCRIPT_FILENAME', '/var/www/site/hello.php']])
 * const bytes = encodeRequestHead({ requestId: 1, role: Role.RESPONDER, keepConnection: true, params })
 * console.log(bytes[1]) // 1
 * ```
 */
export function encodeRequestHead(head: RequestHead): Buffer {
  const target = Buffer.allocUnsafe(requestHeadLength(head))
  writeRequestHead(target, 0, head)
  return target
}

/**
 * Returns how many bytes {@link writeRequestHead} writes.
 * @throws ParamsTooLargeError, ProtocolError as {@link encodeRequestHead}.
 * @example
 * ```js
 * import { requestHeadLength, Role } from '@fastcgi/protocol'
 *
 * const head = { requestId: 1, role: Role.RESPONDER, keepConnection: true, params: Buffer.alloc(0) }
 * console.log(requestHeadLength(head) >= 24) // true
 * ```
 */
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

/**
 * Writes the records of {@link encodeRequestHead} into `target` at `offset` and returns the offset of their end.
 * `target` must have room for {@link requestHeadLength} bytes.
 * @example
 * ```js
 * import { requestHeadLength, Role, writeRequestHead } from '@fastcgi/protocol'
 *
 * const head = { requestId: 1, role: Role.RESPONDER, keepConnection: true, params: Buffer.alloc(0) }
 * const target = Buffer.alloc(requestHeadLength(head))
 * console.log(writeRequestHead(target, 0, head) === target.length) // true
 * ```
 */
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

/** Returns how many bytes of `params`, from offset `from`, go into the next PARAMS record. */
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

/**
 * Encodes ABORT_REQUEST (FastCGI 1.0 §5.4). Only multiplexing applications act on it; php-fpm and libfcgi ignore it.
 * @example
 * ```js
 * import { encodeAbortRequest } from '@fastcgi/protocol'
 *
 * console.log(encodeAbortRequest(1)) // <Buffer 01 02 00 01 00 00 00 00>
 * ```
 */
export function encodeAbortRequest(requestId: number): Buffer {
  return encodeRecord(RecordType.ABORT_REQUEST, requestId)
}

/**
 * Encodes END_REQUEST (FastCGI 1.0 §5.5), which an application sends.
 * @param appStatus exit status of the application, taken as an unsigned 32-bit number.
 * @example
 * ```js
 * import { encodeEndRequest, ProtocolStatus } from '@fastcgi/protocol'
 *
 * console.log(encodeEndRequest(1, 0, ProtocolStatus.REQUEST_COMPLETE).length) // 16
 * ```
 */
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

/**
 * Encodes GET_VALUES for the named variables (FastCGI 1.0 §4.1).
 * @throws ParamsTooLargeError when a name does not fit into a record; RangeError when all names do not.
 * @example
 * ```js
 * import { encodeGetValues } from '@fastcgi/protocol'
 *
 * console.log(encodeGetValues(['FCGI_MPXS_CONNS'])[1]) // 9
 * ```
 */
export function encodeGetValues(names: readonly string[]): Buffer {
  const block = encodeNameValues(names.map((name): [string, string] => [name, '']))
  return encodeRecord(RecordType.GET_VALUES, 0, block)
}
