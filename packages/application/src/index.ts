/**
 * A Node program as FastCGI application: responder, authorizer and filter.
 * @packageDocumentation
 */
export { FastCGIError, ProtocolError } from '@fastcgi/protocol'
export { OptionError, type ServerOptions, type ServerTimeouts } from './options.ts'
export {
  type FastCGIContext,
  type FastCGIRequest,
  type FilterData,
  type FilterRequest,
  fastcgiContext,
  type RoleName,
} from './request/context.ts'
export {
  type AuthorizerListener,
  allow,
  type Decision,
  type Denial,
  deny,
  type FilterListener,
  type ResponderListener,
  type RoleListeners,
} from './roles.ts'
export {
  createServer,
  type FastCGIServer,
  fastcgiServerFactory,
  type ListenOptions,
} from './server.ts'
