/** Options of {@link FastCGIError}. */
export interface FastCGIErrorOptions extends ErrorOptions {
  /** Address of the application that failed. @default none */
  address?: string | undefined
}

/** Base class of all errors of the `@fastcgi` packages. Each cause has its own `code`. */
export class FastCGIError extends Error {
  /** Identifier of the cause, for instance `FCGI_PROTOCOL`. It stays the same across versions; messages may change. */
  readonly code: string
  /** Address of the application that failed, as `Address.name` of the client; undefined if no application is concerned. */
  declare readonly address?: string
  /** Name of the member that failed, if a balancer had chosen it. */
  declare member?: string

  constructor(code: string, message: string, options?: FastCGIErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
    if (options?.address !== undefined) this.address = options.address
  }
}

/** The peer violated FastCGI 1.0 or RFC 3875: a bad version, record type, request id, length or response head. */
export class ProtocolError extends FastCGIError {
  constructor(message: string, options?: FastCGIErrorOptions) {
    super('FCGI_PROTOCOL', message, options)
  }
}

/** A record of another version than 1 (FastCGI 1.0 §3.3): the peer most likely speaks another protocol. */
export class VersionError extends ProtocolError {
  /** The first byte of the record. */
  readonly version: number
  /** The protocol that the bytes look like, for instance `HTTP` or `TLS`; undefined if they look like none that is known. */
  readonly speaks: string | undefined

  constructor(version: number, speaks: string | undefined) {
    const guess = speaks === undefined ? '' : `; the peer speaks ${speaks}`
    super(`record of FastCGI version ${version}, expected 1${guess}`)
    this.version = version
    this.speaks = speaks
  }
}

/** The params cannot be sent: one pair does not fit into a record (65528 bytes), or the block is over its limit. */
export class ParamsTooLargeError extends FastCGIError {
  constructor(message: string, options?: FastCGIErrorOptions) {
    super('FCGI_PARAMS_TOO_LARGE', message, options)
  }
}
