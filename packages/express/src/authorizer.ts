import { type AuthorizerOptions, createAuthorizer, type RequestVariables } from '@fastcgi/gateway'
import { type ExpressRequest, type FastCGIMiddleware, middlewareOf } from './middleware.ts'

declare global {
  namespace Express {
    interface Request {
      /** What authorizers have said of the request; undefined where none let it through. */
      fastcgi?: RequestVariables | undefined
    }
  }
}

/**
 * Middleware that asks a FastCGI authorizer (FastCGI 1.0 §6.3) whether a request may go on:
 * `app.use('/private', fastcgiAuthorizer({ upstream, root }), express.static('private'))`. A no is answered with the
 * application's response, a guard that fails with 503 through the error handlers; after a yes its variables are in
 * `req.fastcgi.variables`. A list of guards is asked in order.
 *
 * Express matches a path as it is spelled: what is behind the guard, and served from elsewhere as well, is better guarded
 * by the option `match`.
 * @throws OptionError for options that cannot be.
 */
export function fastcgiAuthorizer(
  guards: AuthorizerOptions<ExpressRequest> | ReadonlyArray<AuthorizerOptions<ExpressRequest>>,
): FastCGIMiddleware {
  return middlewareOf(createAuthorizer<ExpressRequest>(guards, 'fastcgiAuthorizer'))
}
