/**
 * FastCGI for Fastify: PHP and other FastCGI applications as a plugin.
 * @packageDocumentation
 */
export type { GatewayOptions } from '@fastcgi/gateway'
export {
  type FastCGIProxyOptions,
  type FastCGIReplyOptions,
  fastcgiProxy,
  fastcgiProxy as default,
} from './proxy.ts'
export { type FastCGIStatusOptions, fastcgiStatus } from './status.ts'
