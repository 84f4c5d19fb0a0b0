/** Protocol version in every record header; FastCGI defines only this one (FastCGI 1.0 §3.3). */
export const VERSION = 1

/** Length of a record header in bytes (FastCGI 1.0 §3.3). */
export const HEADER_LENGTH = 8

/** Maximum content of one record in bytes (FastCGI 1.0 §3.3). */
export const MAX_CONTENT_LENGTH = 65_535

/** Maximum padding of one record in bytes (FastCGI 1.0 §3.3). */
export const MAX_PADDING_LENGTH = 255

/**
 * Maximum content of one PARAMS record in bytes: the largest multiple of 8 below 65536. Padding would bring a longer
 * record to 65536 bytes, and php-fpm closes the connection when content and padding together are over 65535.
 */
export const MAX_PARAMS_LENGTH = 65_528

/** Maximum request id; id 0 marks management records (FastCGI 1.0 §3.3). */
export const MAX_REQUEST_ID = 65_535

/** Flag of BEGIN_REQUEST: the application must not close the connection after the request (FastCGI 1.0 §5.1). */
export const KEEP_CONN = 1

/** Record types (FastCGI 1.0 §8). */
export const RecordType = {
  BEGIN_REQUEST: 1,
  ABORT_REQUEST: 2,
  END_REQUEST: 3,
  PARAMS: 4,
  STDIN: 5,
  STDOUT: 6,
  STDERR: 7,
  DATA: 8,
  GET_VALUES: 9,
  GET_VALUES_RESULT: 10,
  UNKNOWN_TYPE: 11,
} as const
/** A record type number, 1 to 11. */
export type RecordType = (typeof RecordType)[keyof typeof RecordType]

/** Roles of an application (FastCGI 1.0 §6). */
export const Role = { RESPONDER: 1, AUTHORIZER: 2, FILTER: 3 } as const
/** A role number, 1 to 3. */
export type Role = (typeof Role)[keyof typeof Role]

/** The protocolStatus of END_REQUEST: how the application ended a request (FastCGI 1.0 §5.5). */
export const ProtocolStatus = {
  REQUEST_COMPLETE: 0,
  CANT_MPX_CONN: 1,
  OVERLOADED: 2,
  UNKNOWN_ROLE: 3,
} as const
/** A protocolStatus number, 0 to 3. */
export type ProtocolStatus = (typeof ProtocolStatus)[keyof typeof ProtocolStatus]
