import { FastCGIError } from '@fastcgi/client'

/** The request itself is malformed: a bad percent, a control character, a path that climbs out. */
export class BadRequestError extends FastCGIError {
  constructor(message: string) {
    super('FCGI_BAD_REQUEST', message)
  }
}

/** The path is one that no client gets. */
export class PathDeniedError extends FastCGIError {
  /** @param rule of the option `deny`. */
  constructor(path: string, rule: string) {
    super('FCGI_DENIED', `${path} is denied by '${rule}' (option deny)`)
  }
}

/** The files of the route cannot be looked at: `root` is missing or unreadable. */
export class RootError extends FastCGIError {
  constructor(message: string, options?: ErrorOptions) {
    super('FCGI_ROOT', message, options)
  }
}

/** A guard could not be asked: down, too slow, or what it answered makes no sense. Nobody is let through then. */
export class AuthorizerError extends FastCGIError {
  constructor(message: string, options?: ErrorOptions) {
    super('FCGI_AUTHORIZER', message, options)
  }
}

/** A file that was to be sent is not there. */
export class FileMissingError extends FastCGIError {
  /** @param option name of the option that says where files may lie. */
  constructor(message: string, option: string) {
    super('FCGI_FILE_MISSING', `${message} (option ${option})`)
  }
}

/** A file must not be sent: it lies outside of the directories that are named for it, is no regular file, or unreadable. */
export class FileRefusedError extends FastCGIError {
  /** @param option name of the option that says where files may lie. */
  constructor(message: string, option: string) {
    super('FCGI_FILE_REFUSED', `${message} (option ${option})`)
  }
}

/** A file became shorter while it was sent. */
export class FileTruncatedError extends FastCGIError {
  constructor(message: string) {
    super('FCGI_FILE_TRUNCATED', message)
  }
}

/** Applications sent a request on and on. */
export class RedirectLoopError extends FastCGIError {
  /** @param chain the paths, in order. */
  constructor(chain: readonly string[]) {
    super('FCGI_REDIRECT_LOOP', `applications sent a request on too often: ${chain.join(' -> ')}`)
  }
}
