/**
 * FastCGI for Express: PHP and other FastCGI applications as middleware.
 * @packageDocumentation
 */

// Types shared with the other adapters, and option presets for sites.
export {
  type AuthorizerOptions,
  type GatewayOptions,
  type RequestVariables,
  sites,
} from '@fastcgi/gateway'
// The middleware.
export { fastcgiAuthorizer } from './authorizer.ts'
export type { ExpressRequest, FastCGIMiddleware } from './middleware.ts'
export { fastcgiProxy, fastcgiProxy as default } from './proxy.ts'
export { type FastCGIStatusOptions, fastcgiStatus, type StatusMiddleware } from './status.ts'
