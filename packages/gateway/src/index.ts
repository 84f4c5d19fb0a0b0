/**
 * Passes HTTP requests to FastCGI applications such as php-fpm, for node:http and for framework adapters.
 * @packageDocumentation
 */

// Authorizers.
export { createAuthorizer } from './authorizer/authorizer.ts'
export type { AuthorizerOptions, DecisionCacheOptions } from './authorizer/options.ts'
export type { Phase } from './authorizer/phases.ts'
// The cache.
export type { GatewayCache } from './cache/caches.ts'
export type { CacheOption, CacheOptions } from './cache/options.ts'
// For adapters: the request they pass in, the response they get, and the function that writes it.
export type { ClientInfo, Env } from './environment/environment-input.ts'
export { type RequestVariables, variablesOfRequest } from './environment/request-variables.ts'
// Errors.
export type { ErrorPageOptions } from './error-page.ts'
export { GatewayError } from './error-status.ts'
export { AuthorizerError, BadRequestError, RootError, SendTimeoutError } from './errors.ts'
// The gateway and its options.
export type { Gateway, NodeHandler } from './gateway.ts'
export type { GatewayOptions, PathGuard } from './gateway-options.ts'
export { createGateway } from './http-gateway.ts'
export type { GatewayLogger } from './logger.ts'
export type { GatewayTimeouts, RouteMatch, RouteOptions } from './options.ts'
export { isGone } from './request/client-disconnect.ts'
export type { GatewayRequest, PlacedGuard } from './request/gateway-request.ts'
export type { InterceptErrors, ResponseHeaderOptions } from './response/field-rules.ts'
export type { GatewayCallback, GatewayResponse } from './response/gateway-response.ts'
export type { PathInfoMode } from './script/path-info.ts'
export type { ScriptMessage } from './script/script-channel.ts'
export { sites } from './script/sites.ts'
// The status page.
export {
  type Caches,
  createStatus,
  type Dispatchers,
  type Status,
  type StatusOptions,
  type StatusRequest,
  type StatusResponse,
} from './status/status.ts'
export type { Clusters } from './upstreams.ts'
export { writeResponse } from './write-response.ts'
