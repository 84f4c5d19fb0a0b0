/**
 * FastCGI for Fastify: PHP and other FastCGI applications as a plugin.
 * @packageDocumentation
 */

// Types shared with the other adapters, their errors, and option presets for sites.
export {
  type AuthorizerOptions,
  type CacheOptions,
  type DecisionCacheOptions,
  type Env,
  type GatewayCache,
  GatewayError,
  type GatewayLogger,
  type GatewayOptions,
  type PathGuard,
  type RequestVariables,
  type RouteMatch,
  type RouteOptions,
  sites,
} from '@fastcgi/gateway'
// The plugins.
export {
  type FastCGIAuthorizerOptions,
  type FastCGIGuards,
  fastcgiAuthorizer,
} from './authorizer.ts'
// For metrics: what the plugins of a scope send requests with.
export { fastcgiCaches, fastcgiDispatchers } from './dispatchers.ts'
export {
  type FastCGIProxyOptions,
  type FastCGIReplyOptions,
  fastcgiProxy,
  fastcgiProxy as default,
} from './proxy.ts'
// For the options of the server.
export { type FastCGIServerOptions, fastcgiServerOptions } from './server-options.ts'
export { type FastCGIStatusOptions, fastcgiStatus } from './status.ts'
