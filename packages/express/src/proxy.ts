import type { IncomingMessage } from 'node:http'
import { createGateway, type GatewayOptions } from '@fastcgi/gateway'
import type { Request } from 'express'
import { createMiddleware, type FastCGIMiddleware } from './middleware.ts'

/**
 * Options of {@link fastcgiProxy}: those of a gateway. `Req` is the request that functions among them get, such as `env`.
 */
export type FastCGIProxyOptions<Req extends IncomingMessage = Request> = GatewayOptions<Req>

/**
 * Middleware that runs the scripts below `root`: `app.use('/shop', fastcgiProxy({ upstream, root }))`. A path that is
 * neither a script nor a file is passed to the next middleware; an error, with `status` and `code`, to the error handlers.
 * Register it before body parsers, so that request bodies are streamed. Functions among the options get Express's request;
 * under another framework, name the type of its requests: `fastcgiProxy<IncomingMessage>(options)`.
 * @throws OptionError for an unknown option or an invalid value.
 * @example
 * ```js
 * import { fastcgiProxy } from '@fastcgi/express'
 * import express from 'express'
 *
 * const app = express()
 * app.use('/shop', fastcgiProxy({ upstream: 'unix:/run/php/php-fpm.sock', root: '/var/www/site' }))
 * ```
 */
export function fastcgiProxy<Req extends IncomingMessage = Request>(
  options: FastCGIProxyOptions<Req>,
): FastCGIMiddleware {
  return createMiddleware(createGateway<Req>(options, 'fastcgiProxy'))
}
