/**
 * FastCGI for Express: PHP and other FastCGI applications as middleware.
 * @packageDocumentation
 */
export type { GatewayOptions } from '@fastcgi/gateway'
export {
  type ExpressRequest,
  type FastCGIMiddleware,
  fastcgiProxy,
  fastcgiProxy as default,
} from './proxy.ts'
export { type FastCGIStatusOptions, fastcgiStatus, type StatusMiddleware } from './status.ts'
