import { KEEP_CONN, RecordType } from './constants.ts'
import { ProtocolError } from './errors.ts'
import { encodeNameValues } from './name-value.ts'
import { encodeRecord } from './record-writer.ts'

/** What a BEGIN_REQUEST says. */
export interface BeginRequest {
  /** Number of the role, which need not be one of `Role`. */
  role: number
  /** Whether the connection is to be left open after the request (KEEP_CONN). */
  keepConnection: boolean
}

/** Reads the content of a BEGIN_REQUEST (FastCGI 1.0 §5.1). @throws ProtocolError when it is not 8 bytes long. */
export function decodeBeginRequest(content: Buffer): BeginRequest {
  if (content.length !== 8)
    throw new ProtocolError(`BEGIN_REQUEST has ${content.length} bytes of content, expected 8`)
  return {
    role: content.readUInt16BE(0),
    keepConnection: (content.readUInt8(2) & KEEP_CONN) !== 0,
  }
}

/** GET_VALUES_RESULT with the values of those variables that are known (FastCGI 1.0 §4.1). */
export function encodeGetValuesResult(values: Iterable<readonly [string, string]>): Buffer {
  return encodeRecord(RecordType.GET_VALUES_RESULT, 0, encodeNameValues(values))
}

/** UNKNOWN_TYPE, the answer to a management record of a type that is not understood (FastCGI 1.0 §4.2). */
export function encodeUnknownType(type: number): Buffer {
  const content = Buffer.alloc(8)
  content[0] = type
  return encodeRecord(RecordType.UNKNOWN_TYPE, 0, content)
}
