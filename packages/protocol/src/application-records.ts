// The records that only an application reads or sends: BEGIN_REQUEST decoded, management answers encoded.
import { KEEP_CONN, RecordType } from './constants.ts'
import { ProtocolError } from './errors.ts'
import { encodeNameValues } from './name-value.ts'
import { encodeRecord } from './record-writer.ts'

/** The decoded content of a BEGIN_REQUEST record (FastCGI 1.0 §5.1). */
export interface BeginRequest {
  /** Role number, 0 to 65535; not necessarily one of `Role`. */
  role: number
  /** Whether the application must leave the connection open after the request (flag KEEP_CONN). */
  keepConnection: boolean
}

/**
 * Decodes the content of BEGIN_REQUEST (FastCGI 1.0 §5.1). @throws ProtocolError when it is not 8 bytes long.
 * @example
 * ```js
 * import { decodeBeginRequest, Role } from '@fastcgi/protocol'
 *
 * const { role, keepConnection } = decodeBeginRequest(Buffer.from([0, 1, 1, 0, 0, 0, 0, 0]))
 * console.log(role === Role.RESPONDER, keepConnection) // true true
 * ```
 */
export function decodeBeginRequest(content: Buffer): BeginRequest {
  if (content.length !== 8)
    throw new ProtocolError(`BEGIN_REQUEST has ${content.length} bytes of content, expected 8`)
  return {
    role: content.readUInt16BE(0),
    keepConnection: (content.readUInt8(2) & KEEP_CONN) !== 0,
  }
}

/**
 * Encodes a GET_VALUES_RESULT record (FastCGI 1.0 §4.1). Variables that the application does not know are left out.
 * @throws ParamsTooLargeError when a pair is over 65528 bytes; RangeError when all pairs are over 65535 bytes.
 * @example
 * ```js
 * import { encodeGetValuesResult } from '@fastcgi/protocol'
 *
 * const record = encodeGetValuesResult([['FCGI_MPXS_CONNS', '1']])
 * console.log(record[1]) // 10
 * ```
 */
export function encodeGetValuesResult(values: Iterable<readonly [string, string]>): Buffer {
  return encodeRecord(RecordType.GET_VALUES_RESULT, 0, encodeNameValues(values))
}

/**
 * Encodes an UNKNOWN_TYPE record, the answer to a management record of unknown `type` (FastCGI 1.0 §4.2).
 * @example
 * ```js
 * import { encodeUnknownType } from '@fastcgi/protocol'
 *
 * console.log(encodeUnknownType(42).subarray(0, 9)) // <Buffer 01 0b 00 00 00 08 00 00 2a>
 * ```
 */
export function encodeUnknownType(type: number): Buffer {
  const content = Buffer.alloc(8)
  content[0] = type
  return encodeRecord(RecordType.UNKNOWN_TYPE, 0, content)
}
