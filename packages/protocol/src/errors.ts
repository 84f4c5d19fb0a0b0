/** Base class of all errors of the `@fastcgi` packages. Each cause has its own `code`. */
export class FastCGIError extends Error {
  /** Identifier of the cause, for instance `FCGI_PROTOCOL`. It stays the same across versions; messages may change. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** The peer violated FastCGI 1.0 or RFC 3875: a bad version, record type, request id, length or response head. */
export class ProtocolError extends FastCGIError {
  constructor(message: string, options?: ErrorOptions) {
    super('FCGI_PROTOCOL', message, options)
  }
}

/** The params cannot be sent: one pair does not fit into a record (65528 bytes), or the block is over its limit. */
export class ParamsTooLargeError extends FastCGIError {
  constructor(message: string, options?: ErrorOptions) {
    super('FCGI_PARAMS_TOO_LARGE', message, options)
  }
}
