/** The one protocol version there is (FastCGI 1.0 §3.3). */
export const VERSION = 1

/** Bytes of a record header (FastCGI 1.0 §3.3). */
export const HEADER_LENGTH = 8

/** The most content one record can carry, in bytes (FastCGI 1.0 §3.3). */
export const MAX_CONTENT_LENGTH = 65_535

/** The most padding one record can carry, in bytes (FastCGI 1.0 §3.3). */
export const MAX_PADDING_LENGTH = 255

/**
 * The most content of one PARAMS record, in bytes: the largest multiple of 8. A longer record needs padding
 * that brings it to 65536, and php-fpm drops connections where content and padding are over 65535.
 */
export const MAX_PARAMS_LENGTH = 65_528

/** Highest request id; 0 is reserved for management records (FastCGI 1.0 §3.3). */
export const MAX_REQUEST_ID = 65_535

/** Flag of BEGIN_REQUEST: the application must not close the connection (FastCGI 1.0 §5.1). */
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
/** Number of a record type. */
export type RecordType = (typeof RecordType)[keyof typeof RecordType]

/** Roles of an application (FastCGI 1.0 §6). */
export const Role = { RESPONDER: 1, AUTHORIZER: 2, FILTER: 3 } as const
/** Number of a role. */
export type Role = (typeof Role)[keyof typeof Role]

/** How a request ended, from the application's point of view (FastCGI 1.0 §5.5). */
export const ProtocolStatus = {
  REQUEST_COMPLETE: 0,
  CANT_MPX_CONN: 1,
  OVERLOADED: 2,
  UNKNOWN_ROLE: 3,
} as const
/** Number of a protocol status. */
export type ProtocolStatus = (typeof ProtocolStatus)[keyof typeof ProtocolStatus]
