import { type AuthorizerOptions, createAuthorizer, type RequestVariables } from '@fastcgi/gateway'
import { addGuard } from './guarded-layers.ts'
import { createMiddleware, type ExpressRequest, type FastCGIMiddleware } from './middleware.ts'

declare global {
  namespace Express {
    interface Request {
      /** Variables that authorizers have added to the request; undefined if none has allowed it. */
      fastcgi?: RequestVariables | undefined
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
 */
export function fastcgiAuthorizer(
  guards: AuthorizerOptions<ExpressRequest> | ReadonlyArray<AuthorizerOptions<ExpressRequest>>,
): FastCGIMiddleware {
  const authorizer = createAuthorizer<ExpressRequest>(guards, 'fastcgiAuthorizer')
  const middleware = createMiddleware(authorizer)
  addGuard(middleware, authorizer)
  return middleware
}
