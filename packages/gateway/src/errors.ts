// The failures that the gateway itself finds; those of connections and request bodies are in @fastcgi/client.

import { FastCGIError } from '@fastcgi/client'

/**
 * The request target is malformed: a bad percent-encoding, a control character, a path that leads above the root. 400.
 */
export class BadRequestError extends FastCGIError {
  constructor(message: string) {
    super('FCGI_BAD_REQUEST', message)
  }
}

/** The request body has a transfer coding other than `chunked` (RFC 9112 §6.1). 501. */
export class TransferCodingError extends FastCGIError {
  constructor(message: string) {
    super('FCGI_TRANSFER_CODING', message)
  }
}

/** The path is denied by the option `deny`. 403. */
export class PathDeniedError extends FastCGIError {
  /** @param rule of the option `deny`. */
  constructor(path: string, rule: string) {
    super('FCGI_DENIED', `${path} is denied by '${rule}' (option deny)`)
  }
}

/** The application answered with a status that the option `interceptErrors` makes an error. The same status. */
export class StatusError extends FastCGIError {
  readonly status: number
  /** Response fields that belong to the status, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, headers: Readonly<Record<string, string>>) {
    super('FCGI_STATUS', `the application answered with status ${status} (option interceptErrors)`)
    this.status = status
    this.headers = headers
  }
}

/** The directory `root` of a route is missing or cannot be read. 500. */
export class RootError extends FastCGIError {
  constructor(message: string, options?: ErrorOptions) {
    super('FCGI_ROOT', message, options)
  }
}

/**
 * An authorizer failed: it could not be reached, was too slow, or sent an invalid response. The request is then denied with
 * 503, unless the option `failOpen` is set.
 */
export class AuthorizerError extends FastCGIError {
  constructor(message: string, options?: ErrorOptions) {
    super('FCGI_AUTHORIZER', message, options)
  }
}

/** A file that was to be sent does not exist. 404. */
export class FileMissingError extends FastCGIError {
  /** @param option name of the option that says where files may lie. */
  constructor(message: string, option: string) {
    super('FCGI_FILE_MISSING', `${message} (option ${option})`)
  }
}

/** A file must not be sent: it is outside of the allowed directories, is not a regular file, or cannot be read. 403. */
export class FileRefusedError extends FastCGIError {
  /** @param option name of the option that says where files may lie. */
  constructor(message: string, option: string) {
    super('FCGI_FILE_REFUSED', `${message} (option ${option})`)
  }
}

/** A file became shorter while it was being sent; the response is broken off. */
export class FileTruncatedError extends FastCGIError {
  constructor(message: string) {
    super('FCGI_FILE_TRUNCATED', message)
  }
}

/** Applications redirected a request internally more than ten times. 500. */
export class RedirectLoopError extends FastCGIError {
  /** @param chain the paths, in order. */
  constructor(chain: readonly string[]) {
    super(
      'FCGI_REDIRECT_LOOP',
      `applications sent a request on too often: ${chain.join(' -> ')}; ` +
        'a request may be redirected internally at most ten times (options accel, localRedirect)',
    )
  }
}

/** The client took nothing of a response for the timeout `send`. Its connection or HTTP/2 stream is closed. Only logged. */
export class SendTimeoutError extends FastCGIError {
  /** @param timeout in milliseconds. */
  constructor(timeout: number) {
    super(
      'FCGI_SEND_TIMEOUT',
      `the client took nothing of the response for ${timeout} ms (option timeouts.send)`,
    )
  }
}
