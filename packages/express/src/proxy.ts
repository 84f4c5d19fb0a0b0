import { createGateway, type GatewayOptions } from '@fastcgi/gateway'
import { createMiddleware, type ExpressRequest, type FastCGIMiddleware } from './middleware.ts'

/**
 * Middleware that runs the scripts below `root`: `app.use('/shop', fastcgiProxy({ upstream, root }))`. A path that is
 * neither a script nor a file is passed to the next middleware; an error, with `status` and `code`, to the error handlers.
 * Register it before body parsers, so that request bodies are streamed.
 * @throws OptionError for an unknown option or an invalid value.
 */
export function fastcgiProxy(options: GatewayOptions<ExpressRequest>): FastCGIMiddleware {
  return createMiddleware(createGateway<ExpressRequest>(options, 'fastcgiProxy'))
}
