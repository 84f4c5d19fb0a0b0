/** Root of every error this family of packages raises on purpose. Tell causes apart by `code`. */
export class FastCGIError extends Error {
  /** Stable name of the cause, for instance `FCGI_PROTOCOL`. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** The other side broke FastCGI 1.0 or RFC 3875: bad version, type, id, length or response head. */
export class ProtocolError extends FastCGIError {
  constructor(message: string, options?: ErrorOptions) {
    super('FCGI_PROTOCOL', message, options)
  }
}

/** The params of a request cannot be carried: one pair is over a record's size, or all are over the cap. */
export class ParamsTooLargeError extends FastCGIError {
  constructor(message: string, options?: ErrorOptions) {
    super('FCGI_PARAMS_TOO_LARGE', message, options)
  }
}
