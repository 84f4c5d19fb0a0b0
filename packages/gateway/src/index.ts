/**
 * Carries HTTP requests to FastCGI applications such as php-fpm, without any framework.
 * @packageDocumentation
 */
export { createAuthorizer } from './authorizer/authorizer.ts'
export type { AuthorizerOptions, DecisionCacheOptions } from './authorizer/options.ts'
export type { Phase } from './authorizer/phases.ts'
export { type RequestVariables, variablesOfRequest } from './authorizer/request-state.ts'
export { isGone } from './client-gone.ts'
export type { ClientInfo, Env } from './environment.ts'
export { GatewayError } from './error-status.ts'
export { AuthorizerError, BadRequestError, RootError } from './errors.ts'
export { createGateway, type Gateway, type GatewayRequest } from './gateway.ts'
export type { GatewayLogger } from './logger.ts'
export { type NodeHandler, socketClient, writeResponse } from './node-handler.ts'
export type { GatewayOptions, RouteMatch, RouteOptions } from './options.ts'
export type { GatewayCallback, GatewayResponse } from './responder.ts'
export { setFields } from './response-fields.ts'
export type { PathInfoMode } from './script-path.ts'
export { sites } from './sites.ts'
export { FORM_LIMIT } from './status/actions.ts'
export { joinDispatchers } from './status/dispatchers.ts'
export {
  createStatus,
  type Dispatchers,
  type Status,
  type StatusOptions,
  type StatusRequest,
  type StatusResponse,
} from './status/status.ts'
export type { Clusters } from './upstreams.ts'
