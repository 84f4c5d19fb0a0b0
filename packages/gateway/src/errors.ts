import { FastCGIError } from '@fastcgi/client'

/** The request itself is malformed: a bad percent, a control character, a path that climbs out. */
export class BadRequestError extends FastCGIError {
  constructor(message: string) {
    super('FCGI_BAD_REQUEST', message)
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
