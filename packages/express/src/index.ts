/**
 * FastCGI for Express: PHP and other FastCGI applications as middleware.
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
// The middleware.
export {
  type FastCGIAuthorizerOptions,
  type FastCGIGuards,
  fastcgiAuthorizer,
} from './authorizer.ts'
export type { FastCGIMiddleware } from './middleware.ts'
export { type FastCGIProxyOptions, fastcgiProxy, fastcgiProxy as default } from './proxy.ts'
export { type FastCGIStatusOptions, fastcgiStatus, type StatusMiddleware } from './status.ts'
