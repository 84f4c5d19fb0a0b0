/**
 * Carries HTTP requests to FastCGI applications such as php-fpm, without any framework.
 * @packageDocumentation
 */

// Authorizers.
export { createAuthorizer } from './authorizer/authorizer.ts'
export type { AuthorizerOptions, DecisionCacheOptions } from './authorizer/options.ts'
export type { Phase } from './authorizer/phases.ts'
// For adapters: what they hand in, what they get, and how it is written.
export type { ClientInfo, Env } from './environment/request-facts.ts'
export { type RequestVariables, variablesOfRequest } from './environment/request-variables.ts'
// Errors.
export { GatewayError } from './error-status.ts'
export { AuthorizerError, BadRequestError, RootError } from './errors.ts'
// The gateway and its options.
export type { Gateway, NodeHandler } from './gateway.ts'
export { createGateway } from './http-gateway.ts'
export type { GatewayLogger } from './logger.ts'
export { writeResponse } from './node-handler.ts'
export type { GatewayOptions, RouteMatch, RouteOptions } from './options.ts'
export { isGone } from './request/client-disconnect.ts'
export type { GatewayRequest } from './request/gateway-request.ts'
export type { GatewayCallback, GatewayResponse } from './response/gateway-response.ts'
export type { PathInfoMode } from './script/script-path.ts'
export { sites } from './script/sites.ts'
// The status page.
export {
  createStatus,
  type Dispatchers,
  type Status,
  type StatusOptions,
  type StatusRequest,
  type StatusResponse,
} from './status/status.ts'
export type { Clusters } from './upstreams.ts'
