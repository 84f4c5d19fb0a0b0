/**
 * The FastCGI 1.0 wire format and the CGI response head of RFC 3875, without I/O.
 * @packageDocumentation
 */

// Records that only applications decode or send.
export {
  type BeginRequest,
  decodeBeginRequest,
  encodeGetValuesResult,
  encodeUnknownType,
} from './application-records.ts'
// Constants of FastCGI 1.0.
export {
  HEADER_LENGTH,
  KEEP_CONN,
  MAX_CONTENT_LENGTH,
  MAX_PADDING_LENGTH,
  MAX_PARAMS_LENGTH,
  MAX_REQUEST_ID,
  ProtocolStatus,
  RecordType,
  Role,
  VERSION,
} from './constants.ts'
// Errors; each has a `code`.
export {
  FastCGIError,
  type FastCGIErrorOptions,
  ParamsTooLargeError,
  ProtocolError,
  VersionError,
} from './errors.ts'
// Name-value pairs: params, and the content of GET_VALUES and GET_VALUES_RESULT.
export {
  decodeNameValues,
  encodeNameValues,
  NameValueEncoder,
  type TextEncoding,
} from './name-value.ts'
// Decoding of records.
export { type RecordHandler, RecordReader } from './record-reader.ts'
// Encoding of records.
export {
  encodeAbortRequest,
  encodeEndRequest,
  encodeGetValues,
  encodeRecord,
  encodeRecordHeader,
  encodeRequestHead,
  type RequestHead,
  requestHeadLength,
  writeRecordHeader,
  writeRequestHead,
} from './record-writer.ts'
// Parsing of the response head.
export { type ResponseHeadLimits, ResponseHeadParser } from './response-head.ts'
