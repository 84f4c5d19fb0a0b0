import type { IncomingMessage } from 'node:http'
import {
  type AuthorizerOptions,
  createAuthorizer,
  type RequestVariables,
  variablesOfRequest,
} from '@fastcgi/gateway'
import type { Request } from 'express'
import { addGuard } from './guarded-layers.ts'
import { createMiddleware, type FastCGIMiddleware } from './middleware.ts'

/** Options of {@link fastcgiAuthorizer}. `Req` is the request that functions among them get, such as `env`. */
export type FastCGIAuthorizerOptions<Req extends IncomingMessage = Request> = AuthorizerOptions<Req>

/** Options of one authorizer, or of several, which are called in order until one denies access. */
export type FastCGIGuards<Req extends IncomingMessage = Request> =
  | FastCGIAuthorizerOptions<Req>
  | ReadonlyArray<FastCGIAuthorizerOptions<Req>>

declare global {
  namespace Express {
    /** `@fastcgi/application` adds to it what its requests have. */
    interface FastCGI extends RequestVariables {}
    interface Request {
      /** Variables that authorizers have added to the request. Behind {@link fastcgiAuthorizer} only, like `req.session`. */
      readonly fastcgi: FastCGI
    }
  }
}

/**
 * Middleware that lets a FastCGI authorizer (FastCGI 1.0 §6.3) decide whether a request may proceed:
 * `app.use('/private', fastcgiAuthorizer({ upstream, root }), express.static('private'))`. If the authorizer denies
 * access, the client gets its response; if it fails, the error handlers get an error with status 503. If it allows
 * access, its variables are in `req.fastcgi.variables`. Several authorizers are called in order until one denies access.
 *
 * Express compares paths as they are spelled (`/private` does not match `//private`). The proxies of the app ask the guard, or
 * redirect to the normalized path, where Express has not asked it. To guard files that other middleware serves, mount the
 * authorizer at the root and use its option `match`.
 * @throws OptionError for an unknown option or an invalid value.
 * @example
 * ```js
 * import { fastcgiAuthorizer } from '@fastcgi/express'
 * import express from 'express'
 *
 * const guard = fastcgiAuthorizer({
 *   upstream: 'unix:/run/php/php-fpm.sock',
 *   root: '/var/www/site',
 *   script: '/authorize.php',
 * })
 * express().use('/private', guard, (req, res) => res.send(`Hello ${req.fastcgi.variables.USER}`))
 * ```
 */
export function fastcgiAuthorizer<Req extends IncomingMessage = Request>(
  guards: FastCGIGuards<Req>,
): FastCGIMiddleware {
  const authorizer = createAuthorizer<Req>(guards, 'fastcgiAuthorizer')
  const middleware = createMiddleware(authorizer, provideVariables)
  addGuard(middleware, authorizer)
  return middleware
}

/** Adds `req.fastcgi`, also for a path that no authorizer has been asked about. */
function provideVariables(req: IncomingMessage): void {
  if (!('fastcgi' in req))
    Object.defineProperty(req, 'fastcgi', {
      value: variablesOfRequest(req),
      configurable: true,
      enumerable: true,
    })
}
