/**
 * The FastCGI 1.0 wire format and the CGI response head, without any I/O.
 * @packageDocumentation
 */
export {
  type BeginRequest,
  decodeBeginRequest,
  encodeGetValuesResult,
  encodeUnknownType,
} from './application-records.ts'
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
export { FastCGIError, ParamsTooLargeError, ProtocolError } from './errors.ts'
export {
  decodeNameValues,
  encodeNameValues,
  NameValueEncoder,
  type TextEncoding,
} from './name-value.ts'
export { type RecordHandler, RecordReader } from './record-reader.ts'
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
export { type ResponseHeadLimits, ResponseHeadParser } from './response-head.ts'
