import { createGateway, type GatewayOptions } from '@fastcgi/gateway'
import { type ExpressRequest, type FastCGIMiddleware, middlewareOf } from './middleware.ts'

/**
 * Middleware that runs the scripts below `root`: `app.use('/shop', fastcgiProxy({ upstream, root }))`. Paths that are
 * neither script nor file go on to the next middleware, failures to the error handlers, with `status` and `code`.
 * Register it before body parsers.
 * @throws OptionError for options that cannot be.
 */
export function fastcgiProxy(options: GatewayOptions<ExpressRequest>): FastCGIMiddleware {
  return middlewareOf(createGateway<ExpressRequest>(options, 'fastcgiProxy'))
}
